package httpserver

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A name that leads to something else than a file must not hold up whoever looks at it.
func TestReadPEMRefuses(t *testing.T) {
	dir := t.TempDir()
	named := func(name string) string { return filepath.Join(dir, name) }
	if err := unix.Mkfifo(named("pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, size := range map[string]int64{"empty": 0, "huge": maxPEMBytes + 1} {
		if err := os.WriteFile(named(name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(named(name), size); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]string{
		// What the kernel logs: a regular file whose reader waits for more. Not
		// everybody may open it.
		"/proc/kmsg":   "",
		"/proc/mounts": "is empty",
		named("empty"): "is empty",
		named("pipe"):  "is no PEM file",
		named("huge"):  "is no PEM file",
		dir:            "is no PEM file",
		"/dev/zero":    "is no PEM file",
		named("none"):  "no such file",
	} {
		ended := make(chan error, 1)
		go func() { _, _, err := readPEM(path); ended <- err }()
		select {
		case err := <-ended:
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", path, err, want)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("%s: still reading", path)
		}
	}
}

// A file that grows is not read without end.
func TestReadPEMBounded(t *testing.T) {
	zero, err := os.Open("/dev/zero")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = zero.Close() }()
	if text, err := readSmall(zero); err == nil || len(text) > maxPEMBytes+1 {
		t.Errorf("%d bytes, %v", len(text), err)
	}
}
