package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"activity-tracker.example/server/internal/config"
)

// The client's secret is read from a file that others can't read, and what is wrong with
// it or with the file of roles ends the start with a word that names the setting.
func TestSingleSignOnSettings(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string, mode os.FileMode) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	roles, key := file("roles", "staff -> viewer\n", 0o644), file("secret", "s3cret words\n", 0o600)
	with := func(change func(*config.SSO)) config.Config {
		c := config.Config{BaseURL: "https://tracker.example.org/", SSO: config.SSO{Issuer: "https://id.example.org", ClientID: "x", SecretFile: key, RolesFile: roles, GroupsClaim: "groups"}}
		change(&c.SSO)
		return c
	}
	p, err := singleSignOn(with(func(*config.SSO) {}))
	if err != nil || p.ClientSecret != "s3cret words" || p.BaseURL != "https://tracker.example.org" {
		t.Fatal(err)
	}
	if p, err := singleSignOn(with(func(s *config.SSO) { s.Issuer = "" })); p != nil || err != nil {
		t.Error(p, err)
	}
	if p, err := singleSignOn(with(func(s *config.SSO) { s.SecretFile = "" })); err != nil || p.ClientSecret != "" {
		t.Error(err)
	}
	if _, err := singleSignOn(with(func(s *config.SSO) { s.SecretFile = file("group", "x", 0o640) })); err != nil {
		t.Error(err)
	}
	for want, change := range map[string]func(*config.SSO){
		"chmod 600":                func(s *config.SSO) { s.SecretFile = file("open", "x", 0o644) },
		"others may":               func(s *config.SSO) { s.SecretFile = file("written", "x", 0o620) },
		"--sso-client-secret-file": func(s *config.SSO) { s.SecretFile = dir + "/none" },
		"one line":                 func(s *config.SSO) { s.SecretFile = file("two", "a\nb\n", 0o600) },
		"one line of":              func(s *config.SSO) { s.SecretFile = file("long", strings.Repeat("x", 2000), 0o600) },
		"want the client's":        func(s *config.SSO) { s.SecretFile = file("empty", "\n", 0o600) },
		"--sso-roles-file":         func(s *config.SSO) { s.RolesFile = dir + "/none" },
		"line 1":                   func(s *config.SSO) { s.RolesFile = file("wrong", "staff: viewer", 0o600) },
		"https":                    func(s *config.SSO) { s.Issuer = "http://id.example.org" },
	} {
		if _, err := singleSignOn(with(change)); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", want, err)
		}
	}
}
