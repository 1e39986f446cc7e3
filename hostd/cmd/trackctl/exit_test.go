package main

import (
	"errors"
	"fmt"
	"testing"

	"activity-tracker.example/hostd/control"
	"activity-tracker.example/server/api"
)

// Each exit code has one meaning in all programs.
func TestExitCodes(t *testing.T) {
	for name, test := range map[string]struct {
		err  error
		want int
	}{
		"wrong command line": {usageError{error: errors.New("unknown flag")}, api.ExitUsage},
		"not running":        {fmt.Errorf("asking: %w", control.ErrNotRunning), api.ExitNotRunning},
		"not permitted":      {fmt.Errorf("asking: %w", control.ErrNotPermitted), api.ExitNotPermitted},
		"problems":           {foundError{errors.New("problems were found")}, api.ExitFailed},
		"doctor, no daemon":  {foundError{control.ErrNotRunning}, api.ExitNotRunning},
		"another failure":    {errors.New("full disk"), api.ExitFailed},
	} {
		if got := exitCode(test.err); got != test.want {
			t.Errorf("%s: %d, want %d", name, got, test.want)
		}
	}
}
