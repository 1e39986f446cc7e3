package servertest

import (
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Manager stands for systemd: it keeps the newest status line.
type Manager struct {
	mu     sync.Mutex
	status string
}

// StartManager starts one, which the programs of this test notify.
func StartManager(t *testing.T) *Manager {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("NOTIFY_SOCKET", path)
	m := &Manager{}
	var wait sync.WaitGroup
	t.Cleanup(func() { _ = conn.Close(); wait.Wait() })
	wait.Go(func() {
		message := make([]byte, 4096)
		for {
			n, err := conn.Read(message)
			if err != nil {
				return
			}
			for line := range strings.Lines(string(message[:n])) {
				if status, ok := strings.CutPrefix(strings.TrimSpace(line), "STATUS="); ok {
					m.mu.Lock()
					m.status = status
					m.mu.Unlock()
				}
			}
		}
	})
	return m
}

// Says waits until the status line begins so, and checks what is within.
func (m *Manager) Says(t *testing.T, begin, within string) {
	t.Helper()
	var status string
	Await(t, begin, func() bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		status = m.status
		return strings.HasPrefix(status, begin)
	})
	if !strings.Contains(status, within) {
		t.Errorf("the status %q lacks %q", status, within)
	}
}
