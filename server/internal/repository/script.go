package repository

import (
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"activity-tracker.example/server/internal/problem"
)

// script installs the agent. It is the same for everybody but for two words, which
// can't mean anything to a shell: where the server is, by its own settings and never
// by what a caller sends, and the key's fingerprint.
//
//go:embed install.sh
var script string

// The two words, as they stand in the script.
const (
	baseURLMark     = "@BASE_URL@"
	fingerprintMark = "@FINGERPRINT@"
)

// Script answers with the script that installs the agent on the host that it is
// run on. Without https anybody on the way could put another in its place.
func (r *Repository) Script(w http.ResponseWriter, req *http.Request) {
	if !r.base.secure() {
		problem.Write(w, req, problem.NotFound("This server has no script for installing: it needs --base-url with https."))
		return
	}
	mark, err := r.fingerprint()
	if err != nil {
		e := problem.NotFound("This server has no packages to install: make repository makes them, and --packages names their folder.")
		e.Cause = err
		problem.Write(w, req, e)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/x-shellscript; charset=utf-8")
	h.Set("Cache-Control", askAgain)
	// An error here means that the caller has gone.
	_, _ = io.WriteString(w, strings.NewReplacer(baseURLMark, r.base.String(), fingerprintMark, mark).Replace(script))
}

// fingerprint returns that of the key in the folder.
func (r *Repository) fingerprint() (string, error) {
	if r.dir == "" {
		return "", errors.New("no folder of packages")
	}
	f, info, err := r.open(keyFile)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	if info.Size() > maxKeyBytes {
		return "", fmt.Errorf("%s: more than %d bytes", keyFile, maxKeyBytes)
	}
	ring, err := io.ReadAll(io.LimitReader(f, maxKeyBytes))
	if err != nil {
		return "", fmt.Errorf("reading the packages' key: %w", err)
	}
	mark, err := fingerprint(ring)
	if err != nil {
		return "", fmt.Errorf("%s: %w", keyFile, err)
	}
	return mark, nil
}
