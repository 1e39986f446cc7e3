package httpserver

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestExamineFiles(t *testing.T) {
	dir, ends := t.TempDir(), time.Now().Add(time.Hour).Truncate(time.Second)
	cert, key := certificate(t, 1, ends)
	_, other := certificate(t, 2, ends)
	writePair(t, dir, cert, key)
	files := Files{filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")}
	c, err := files.Examine()
	if err != nil || !c.Ends.Equal(ends) || c.KeyOpen || !slices.Equal(c.Names, []string{"localhost", "127.0.0.1"}) {
		t.Errorf("%+v %v", c, err)
	}
	mode := func(m os.FileMode) {
		t.Helper()
		if err := os.Chmod(files.Key, m); err != nil {
			t.Fatal(err)
		}
	}
	mode(0o644)
	if c, err = files.Examine(); err != nil || !c.KeyOpen {
		t.Errorf("%+v %v", c, err)
	}
	mode(0o660)
	if _, err := files.Examine(); err == nil || !strings.Contains(err.Error(), "can be written by others") {
		t.Errorf("%v", err)
	}
	mode(0o600)
	writePair(t, dir, cert, other)
	if _, err := files.Examine(); err == nil || !strings.Contains(err.Error(), "private key does not match") {
		t.Errorf("%v", err)
	}
	for want, f := range map[string]Files{"no such file": {files.Cert, dir + "/none"}, "needs both": {Cert: files.Cert}} {
		if _, err := f.Examine(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestExamineACME(t *testing.T) {
	a := ACME{Domains: []string{"tracker.example.org"}, CacheDir: filepath.Join(t.TempDir(), "acme")}
	if err := a.Examine(); err != nil {
		t.Errorf("before the first start: %v", err)
	}
	if _, err := a.Kept("tracker.example.org"); !errors.Is(err, ErrNoCertificate) {
		t.Errorf("%v", err)
	}
	if err := os.Mkdir(a.CacheDir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := a.Examine(); err != nil {
		t.Error(err)
	}
	ends := time.Now().Add(time.Hour).Truncate(time.Second)
	cert, key := certificate(t, 1, ends)
	kept := filepath.Join(a.CacheDir, "tracker.example.org")
	// As autocert keeps it; TestACME looks at what it kept itself.
	if err := os.WriteFile(kept, append(key, cert...), 0o600); err != nil {
		t.Fatal(err)
	}
	if c, err := a.Kept("tracker.example.org"); err != nil || !c.Ends.Equal(ends) {
		t.Errorf("%+v %v", c, err)
	}
	if err := os.WriteFile(kept, key, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Kept("tracker.example.org"); err == nil || errors.Is(err, ErrNoCertificate) {
		t.Errorf("half a file: %v", err)
	}
	if err := os.Chmod(a.CacheDir, 0o750); err != nil {
		t.Fatal(err)
	}
	if err := a.Examine(); err == nil || !strings.Contains(err.Error(), "has mode 0750") {
		t.Errorf("%v", err)
	}
	for want, bad := range map[string]ACME{
		"full name in lower case": {Domains: []string{"https://tracker"}}, "is no folder": {Domains: a.Domains, CacheDir: kept},
	} {
		if err := bad.Examine(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
