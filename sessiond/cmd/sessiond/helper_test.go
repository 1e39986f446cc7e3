package main

import (
	"os"
	"sync"
	"testing"

	"activity-tracker.example/sessiond/internal/helpertest"
	"activity-tracker.example/sessiond/internal/xtest"
)

// buildDir names the environment variable with the folder in which binary builds.
const buildDir = "SESSIOND_TEST_BUILD_DIR"

// binary builds sessiond once for all tests that want it.
var binary = sync.OnceValues(func() (string, error) { return helpertest.Build(os.Getenv(buildDir)) })

func TestMain(m *testing.M) { os.Exit(runTests(m)) }

func runTests(m *testing.M) int {
	dir, err := os.MkdirTemp("", "sessiond-test")
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

func startHelper(t *testing.T, s *xtest.Server, args ...string) *helpertest.Helper {
	t.Helper()
	h := newHelper(t, append([]string{"--display", s.Display, "--interval", "5s"}, args...)...)
	h.Until("the first report", func() bool { return len(h.All) > 0 })
	return h
}

func newHelper(t *testing.T, args ...string) *helpertest.Helper {
	t.Helper()
	const systemBuffer = 0
	return newHelperWith(t, systemBuffer, args...)
}

// newHelperWith starts a helper whose socket's buffer has a size.
func newHelperWith(t *testing.T, buffer int, args ...string) *helpertest.Helper {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatalf("building sessiond: %v", err)
	}
	return helpertest.Start(t, helpertest.Options{Program: path, Args: args, Buffer: buffer})
}
