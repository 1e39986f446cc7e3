package httpserver

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// authority runs Pebble, Let's Encrypt's own authority for tests, which reaches
// our challenges on those ports, and returns its directory and the file of its CA.
func authority(t *testing.T, tlsPort, httpPort int) (directory, ca string) {
	t.Helper()
	program, err := exec.LookPath("pebble")
	if err != nil {
		cache, _ := os.UserCacheDir()
		program = filepath.Join(cache, "activity-tracker", "bin", "pebble")
		if _, err := os.Stat(program); err != nil {
			t.Fatalf("no pebble; run make setup: %v", err)
		}
	}
	dir := t.TempDir()
	cert, key := certificate(t, 99, time.Now().Add(time.Hour))
	writePair(t, dir, cert, key)
	ports := freePorts(t, 3)
	config, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress":           fmt.Sprintf("127.0.0.1:%d", ports[0]),
		"managementListenAddress": fmt.Sprintf("127.0.0.1:%d", ports[1]),
		"certificate":             filepath.Join(dir, "tls.crt"), "privateKey": filepath.Join(dir, "tls.key"),
		"httpPort": httpPort, "tlsPort": tlsPort,
	}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "pebble.json")
	if err := os.WriteFile(file, config, 0o600); err != nil {
		t.Fatal(err)
	}
	resolver := loopbackNames(t)
	var log logged
	cmd := exec.CommandContext(t.Context(), program, "-config", file, "-dnsserver", resolver, "-strict")
	cmd.Env = append(os.Environ(), "PEBBLE_VA_NOSLEEP=1", "PEBBLE_WFE_NONCEREJECT=0")
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(log.text.String())
		}
	})
	directory = fmt.Sprintf("https://127.0.0.1:%d/dir", ports[0])
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}, Timeout: patience}
	defer client.CloseIdleConnections()
	await(t, "the authority", func() bool {
		res, err := client.Get(directory)
		if err == nil {
			_ = res.Body.Close()
		}
		return err == nil
	})
	return directory, filepath.Join(dir, "tls.crt")
}

func freePorts(t *testing.T, n int) []int {
	t.Helper()
	var ports []int
	for range n {
		l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports
}

// loopbackNames is a name server, over TCP, that answers every question for an
// address with 127.0.0.1, and all others with nothing: no name of these tests
// exists.
func loopbackNames(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	wait.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wait.Go(func() {
				defer c.Close()
				_ = c.SetDeadline(time.Now().Add(patience))
				var size [2]byte
				if _, err := io.ReadFull(c, size[:]); err != nil {
					return
				}
				question := make([]byte, binary.BigEndian.Uint16(size[:]))
				if _, err := io.ReadFull(c, question); err != nil {
					return
				}
				reply := answer(question)
				_, _ = c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(reply))), reply...))
			})
		}
	})
	t.Cleanup(func() { _ = l.Close(); wait.Wait() })
	return l.Addr().String()
}

// answer makes the reply to a question of DNS: the question again, and for type A
// one address.
func answer(q []byte) []byte {
	const header = 12
	end := header
	for end < len(q) && q[end] != 0 {
		end += int(q[end]) + 1
	}
	end += 5 // the root's label, type and class
	if end > len(q) {
		return nil
	}
	reply := append([]byte{q[0], q[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, q[header:end]...)
	if q[end-3] == 1 {
		reply[7] = 1
		reply = append(reply, 0xc0, header, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1)
	}
	return reply
}

// A certificate comes by itself from a real authority, by either challenge, and is
// there again after a restart without asking.
func TestACME(t *testing.T) {
	for _, byHTTP := range []bool{false, true} {
		t.Run(fmt.Sprintf("http %v", byHTTP), func(t *testing.T) {
			ports := freePorts(t, 2)
			tlsPort := ports[0]
			o := ACME{Domains: []string{"tracker.example.org"}, Email: "admin@example.org", CacheDir: filepath.Join(t.TempDir(), "acme")}
			if byHTTP {
				// The authority finds nobody at the port of TLS-ALPN-01.
				tlsPort, o.HTTPAddr = freePorts(t, 1)[0], fmt.Sprintf("127.0.0.1:%d", ports[1])
			}
			o.Directory, o.CA = authority(t, tlsPort, ports[1])
			var log logged
			defer func() {
				if t.Failed() {
					t.Log(log.text.String())
				}
			}()
			addr := fmt.Sprintf("127.0.0.1:%d", ports[0])
			hello := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") })
			first := issued(t, start(t, Options{Addr: addr, ACME: o, Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))}, hello), "tracker.example.org")
			info, err := os.Stat(o.CacheDir)
			if err != nil || info.Mode().Perm() != 0o700 {
				t.Errorf("%v %v", info, err)
			}
			if byHTTP {
				return
			}
			await(t, "the certificate to be kept", func() bool {
				_, err := os.Stat(filepath.Join(o.CacheDir, "tracker.example.org"))
				return err == nil
			})
			if c, err := o.Kept("tracker.example.org"); err != nil || !c.Ends.Equal(first.NotAfter) || o.Examine() != nil {
				t.Errorf("%+v %v %v", c, err, o.Examine())
			}
			o.Directory, o.CA = "https://127.0.0.1:1/none", ""
			again := start(t, Options{ACME: o, Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))}, hello)
			if second := issued(t, again, "tracker.example.org"); !second.Equal(first) {
				t.Error("another certificate after a restart")
			}
			if serial(t, again, "other.example.org") != 0 {
				t.Error("a certificate for a name that is not ours")
			}
		})
	}
}

// issued waits for the certificate of a name.
func issued(t *testing.T, e *Listener, name string) (found *x509.Certificate) {
	t.Helper()
	await(t, "a certificate", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		d := &tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, ServerName: name}}
		c, err := d.DialContext(ctx, "tcp", e.Addr())
		if err != nil {
			return false
		}
		defer c.Close()
		found = c.(*tls.Conn).ConnectionState().PeerCertificates[0]
		return true
	})
	if err := found.VerifyHostname(name); err != nil {
		t.Error(err)
	}
	return found
}
