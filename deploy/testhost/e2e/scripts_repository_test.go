package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"activity-tracker.example/testhost"
	"activity-tracker.example/testhost/debian"
)

// TestScriptFromServer has a bare machine without any package file get trackerd
// from its server: by the fingerprint of the key that signed it, or by the
// server's own word.
func TestScriptFromServer(t *testing.T) {
	t.Parallel()
	b := newBuilder(t)
	b.add(t, debPath)
	b.publish(t)
	srv := newServer(t)
	offer(t, srv, b.packages)
	h := hostBefore(t, srv, debian.Trixie)
	defer h.showSetupLog(t)
	h.copyScripts(t)
	h.run(t, "rm", "-r", filepath.Join(onHost, "../dist"))

	t.Run("plain http", func(t *testing.T) { needsFingerprint(t, h) })
	t.Run("another key", func(t *testing.T) { refusesOtherFingerprint(t, h) })
	t.Run("terminal", func(t *testing.T) { scriptAsksTheTerminal(t, h) })
	var comeback []string
	t.Run("server's word", func(t *testing.T) { comeback = comesAndGoes(t, h, h.token(t)) })
	fingerprint, err := os.ReadFile(filepath.Join(b.packages, "fingerprint"))
	if err != nil {
		t.Fatal(err)
	}
	// As people copy it.
	copied := strings.ToLower(string(fingerprint[:4])) + " " + string(fingerprint[4:20]) + ":" + string(fingerprint[20:40])
	t.Run("fingerprint", func(t *testing.T) { comesAndGoes(t, h, srv.command(t, comeback...), "--fingerprint", copied) })
}

func needsFingerprint(t *testing.T, h *host) {
	res := h.script(t, "", "single-user-vps.sh", insideURL)
	wantRefused(t, h, res, "over plain http the server's packages need --fingerprint")
	if !strings.Contains(res.Stderr, "Nothing was changed.") {
		t.Errorf("it said %q", res.Stderr)
	}
}

func refusesOtherFingerprint(t *testing.T, h *host) {
	res := h.script(t, h.token(t), "single-user-vps.sh", "--fingerprint", strings.Repeat("0123456789", 4), baseURL)
	wantRefused(t, h, res, "could not fetch the list of its packages")
}

// scriptAsksTheTerminal has a person mistype the token, which is not shown.
func scriptAsksTheTerminal(t *testing.T, h *host) {
	const typed = "mistyped secret"
	h.run(t, "sh", "-c", "(until grep -q shown /tmp/typescript 2>/dev/null; do sleep 0.1; done; echo '"+typed+"') | "+
		"setsid --wait script -qefc '"+onHost+"/single-user-vps.sh "+baseURL+"' /tmp/typescript; test $? != 0")
	said := h.run(t, "cat", "/tmp/typescript")
	if !strings.Contains(said, "that is no enrolment token") || !strings.Contains(said, "Nothing was changed.") || strings.Contains(said, typed) {
		t.Errorf("it says %s", said)
	}
}

// comesAndGoes sets the machine up twice, and takes everything away again. It
// returns the command that makes a token for the machine's return.
func comesAndGoes(t *testing.T, h *host, token string, args ...string) (comeback []string) {
	call := append(append([]string{"single-user-vps.sh"}, args...), baseURL)
	h.mustScript(t, "", append([]string{"single-user-vps.sh", "--dry-run"}, call[1:]...)...)
	said := h.mustScript(t, token, append([]string{}, call...)...)
	if !strings.Contains(said, "+ enrol with "+baseURL) || !strings.Contains(said, "trackctl doctor: no problem found") {
		t.Error("it is not enrolled, or not examined")
	}
	said = h.mustScript(t, "", "single-user-vps.sh", baseURL)
	if strings.Count(said, "  + ") != 1 {
		t.Error("the second run did more than to examine")
	}
	said = h.mustScript(t, "", "single-user-vps.sh", "--uninstall")
	wantRefused(t, h, testhost.Result{Code: 1, Stderr: said}, "What stays:")
	h.run(t, "test", "!", "-e", setupNotes)
	_, after, _ := strings.Cut(said, "trackerd-server ")
	return strings.Fields(after)
}
