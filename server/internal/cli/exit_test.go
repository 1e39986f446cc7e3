package cli

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/cli/console"
	"activity-tracker.example/server/internal/servertest"
)

// Who asks why the service does not run reads it in the status, also where it failed
// before it listened.
func TestStatusSaysWhyAStartFailed(t *testing.T) {
	m := servertest.StartManager(t)
	cmd := newRoot("development")
	cmd.SetArgs([]string{"serve", "--state-dir", t.TempDir(), "--listen", "443"})
	complain(cmd.ExecuteContext(t.Context()), io.Discard)
	m.Says(t, "failed: ", "did you mean :443?")
	complain(console.FoundError{Err: errors.New("one check failed")}, io.Discard)
	m.Says(t, "failed: ", "did you mean :443?")
}

// Each code has one meaning in all programs.
func TestExitCodes(t *testing.T) {
	for _, test := range []struct {
		args string
		env  string
		want int
	}{
		{"--version", "", api.ExitOK},
		{"token list --nonsense", "", api.ExitUsage},
		{"host revoke", "", api.ExitUsage},
		{"nonsense", "", api.ExitUsage},
		{"completion bash", "", api.ExitOK},
		{"completion ksh", "", api.ExitUsage},
		{"enrollment create --uses 0", "", api.ExitUsage},
		{"serve --listen 8100", "", api.ExitUsage},
		{"serve --base-url nowhere", "", api.ExitConfig},
		{"host list", "perhaps", api.ExitConfig},
		{"host list --database-url postgres://x@127.0.0.1:1/x", "", api.ExitFailed},
	} {
		t.Setenv("TRACKERD_SERVER_NO_MIGRATE", test.env)
		t.Setenv("TRACKERD_SERVER_STATE_DIR", t.TempDir())
		var out bytes.Buffer
		code := Execute(t.Context(), "development", strings.Fields(test.args), Streams{In: &out, Out: &out, Err: &out})
		if code != test.want {
			t.Errorf("%s: %d, want %d: %s", test.args, code, test.want, out.String())
		}
	}
}
