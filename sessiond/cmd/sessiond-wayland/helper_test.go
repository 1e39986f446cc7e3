package main

import (
	"os"
	"sync"
	"testing"

	"activity-tracker.example/sessiond/internal/helpertest"
	"activity-tracker.example/sessiond/internal/waytest"
)

// buildDir names the environment variable that holds where binary builds.
const buildDir = "SESSIOND_TEST_BUILD_DIR"

// binary builds sessiond-wayland once for all tests that want it.
var binary = sync.OnceValues(func() (string, error) { return helpertest.Build(os.Getenv(buildDir)) })

func TestMain(m *testing.M) { os.Exit(runTests(m)) }

func runTests(m *testing.M) int {
	dir, err := os.MkdirTemp("", "sessiond-wayland-test")
	if err == nil {
		err = os.Setenv(buildDir, dir)
	}
	if err != nil {
		println("making a folder for the tests:", err.Error())
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }() // in /tmp
	return m.Run()
}

// startHelper starts a helper and waits for its first report.
func startHelper(t *testing.T, s *waytest.Session, args ...string) *helpertest.Helper {
	t.Helper()
	h := newHelper(t, s, args...)
	h.Until("the first report", func() bool { return len(h.All) > 0 })
	return h
}

func newHelper(t *testing.T, s *waytest.Session, args ...string) *helpertest.Helper {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatalf("building sessiond-wayland: %v", err)
	}
	return helpertest.Start(t, helpertest.Options{
		Program: path, User: s.User,
		Args: append([]string{"--runtime-dir", s.Runtime, "--interval", "5s"}, args...),
	})
}
