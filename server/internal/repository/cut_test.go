package repository

import (
	"bytes"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// entry is the function that is the whole script.
const entry = "activity_tracker_install"

// A download that was cut anywhere runs nothing: not one command is begun by a
// shell that gets any beginning of the script, but for a beginning of the
// function's name, which no program is called.
func TestCutScriptRunsNothing(t *testing.T) {
	whole := bytes.TrimRight(renderedScript(t), "\n")
	if !bytes.HasSuffix(whole, []byte("\n}\n\n"+entry)) {
		t.Fatalf("the script ends in %q", whole[len(whole)-40:])
	}
	// Whatever is not built into the shell would leave its name here.
	dir := t.TempDir()
	cuts := make(chan int)
	var running sync.WaitGroup
	for range runtime.NumCPU() {
		running.Go(func() {
			for n := range cuts {
				wantNothingRun(t, dir, whole[:n])
			}
		})
	}
	for n := range whole {
		cuts <- n
	}
	close(cuts)
	running.Wait()
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("files were made: %v, %v", left, err)
	}
}

// wantNothingRun pipes a cut script into a shell as curl would, traces what it runs, and
// lets it find no program.
func wantNothingRun(t *testing.T, dir string, cut []byte) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "/bin/sh", "-x")
	cmd.Dir, cmd.Env = dir, []string{"PATH=" + dir}
	cmd.Stdin = bytes.NewReader(cut)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	_ = cmd.Run() // it must fail, but for the comments at the beginning
	for line := range strings.Lines(said.String()) {
		run, traced := strings.CutPrefix(strings.TrimSpace(line), "+ ")
		if traced && !strings.HasPrefix(entry, run) {
			t.Errorf("cut at byte %d it runs %s", len(cut), run)
		}
	}
}

// No beginning of that name is a program's, or anything that the shell has.
func TestEntryIsNoProgram(t *testing.T) {
	for n := 1; n < len(entry); n++ {
		if out, err := exec.CommandContext(t.Context(), "sh", "-c", "type "+entry[:n]).Output(); err == nil {
			t.Errorf("%s", out)
		}
	}
}
