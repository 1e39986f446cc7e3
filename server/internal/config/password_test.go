package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

func TestWithPassword(t *testing.T) {
	const password = `p' \"@:/?#&= %41ä`
	for _, databaseURL := range []string{
		"postgres://tracker@db.example:5433/tracker?sslmode=disable",
		"postgresql:///tracker?host=/run/x&user=tracker",
		"host=db.example port=5433 user=tracker dbname=tracker sslmode=disable",
		"user=tracker",
	} {
		got, err := withPassword(databaseURL, password)
		if err != nil {
			t.Errorf("%s: %v", databaseURL, err)
			continue
		}
		config, err := pgconn.ParseConfig(got)
		if err != nil || config.Password != password || config.User != "tracker" {
			t.Errorf("%s: %+v, %v", databaseURL, config, err)
		}
	}
	for _, databaseURL := range []string{"postgres://u:p@h/d", "postgres://h/d?password=p", "postgres://[secret"} {
		if got, err := withPassword(databaseURL, "x"); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %s, %v", databaseURL, got, err)
		}
	}
}

func TestPasswordFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "password")
	for text, want := range map[string]string{
		"one\n": "one", "one": "one", "a b \r\n": "a b ",
		"": "", "\n": "", "one\ntwo\n": "", strings.Repeat("x", maxPasswordBytes+1): "",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := readPassword(path)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
	t.Setenv("DATABASE_PASSWORD_FILE", path)
	t.Setenv("DATABASE_URL", "")
	if _, err := load(t); err == nil || !strings.Contains(err.Error(), "DATABASE_URL") {
		t.Errorf("without a URL: %v", err)
	}
	if err := os.WriteFile(path, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("DATABASE_URL", "postgres://u@h/d")
	if c, err := load(t); err != nil || c.Database.URL != "postgres://u:secret@h/d" {
		t.Errorf("%s, %v", c.Database.URL, err)
	}
}
