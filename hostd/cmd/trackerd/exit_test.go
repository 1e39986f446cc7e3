package main

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"activity-tracker.example/server/api"
)

// Each exit code has one meaning in all programs.
func TestExitCodes(t *testing.T) {
	wrong := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(wrong, []byte("collect_interval_sec: often\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args []string
		want int
	}{
		{[]string{"version"}, api.ExitOK},
		{[]string{"--version"}, api.ExitOK},
		{[]string{"run", "--nonsense"}, api.ExitUsage},
		{[]string{"nonsense"}, api.ExitUsage},
		{[]string{"check-config", "--config", wrong}, api.ExitConfig},
	} {
		if got := execute(t.Context(), test.args, io.Discard, io.Discard); got != test.want {
			t.Errorf("trackerd %q: %d, want %d", test.args, got, test.want)
		}
	}
}
