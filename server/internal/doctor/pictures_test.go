package doctor

import (
	"errors"
	"os"
	"strings"
	"testing"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/screenshots"
)

func TestPictures(t *testing.T) {
	const user, least = 1000, 1 << 30
	for _, test := range []struct {
		change func(*screenshots.FolderState)
		result api.CheckResult
		words  string
	}{
		{func(*screenshots.FolderState) {}, api.CheckOK, "2.0 GiB free"},
		{func(s *screenshots.FolderState) { *s = screenshots.FolderState{Path: "/p"} }, api.CheckOK, "none yet; they would be in /p"},
		{func(s *screenshots.FolderState) { s.Err = os.ErrNotExist }, api.CheckFailed, "does not exist"},
		{func(s *screenshots.FolderState) { s.Mode = 0o750 }, api.CheckFailed, "can be entered by others (mode 750)"},
		{func(s *screenshots.FolderState) { s.Owner = 0 }, api.CheckFailed, "is of the user 0, this is 1000"},
		{func(s *screenshots.FolderState) { s.Writable = false }, api.CheckFailed, "read-only"},
		{func(s *screenshots.FolderState) { s.Free = least - 1 }, api.CheckWarning, "no more are taken"},
	} {
		s := screenshots.FolderState{Used: true, Path: "/p/name", Mode: 0o700, Owner: user, Writable: true, Free: 2 * least}
		test.change(&s)
		if c := Pictures(&s, user, least); c.Result != test.result || !strings.Contains(c.Detail+c.Advice, test.words) || (c.Advice == "") != (c.Result == api.CheckOK) {
			t.Errorf("%+v, want %s and %q", c, test.result, test.words)
		}
	}
}

func TestSingleSignOn(t *testing.T) {
	const issuer = "https://id.example.org"
	down := errors.New("the provider does not answer")
	for _, test := range []struct {
		found  SingleSignOn
		result api.CheckResult
		words  string
	}{
		{SingleSignOn{Keys: 2}, api.CheckOK, issuer + " answers, keys: 2"},
		{SingleSignOn{}, api.CheckWarning, "no key"},
		{SingleSignOn{Only: true}, api.CheckFailed, "nobody can log in"},
		{SingleSignOn{Err: down}, api.CheckWarning, "well-known"},
		{SingleSignOn{Err: down, Only: true}, api.CheckFailed, "nobody can log in"},
		{SingleSignOn{Settings: errors.New("--sso-roles-file: none")}, api.CheckFailed, "--sso-roles-file"},
	} {
		test.found.Issuer = issuer
		if c := test.found.Check(); c.Result != test.result || !strings.Contains(c.Detail+c.Advice, test.words) || (c.Advice == "") != (c.Result == api.CheckOK) {
			t.Errorf("%+v, want %s and %q", c, test.result, test.words)
		}
	}
}
