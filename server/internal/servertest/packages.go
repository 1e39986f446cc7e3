package servertest

import (
	"os"
	"path/filepath"
	"testing"

	"activity-tracker.example/server/internal/repository"
)

// The repository of the tests' servers.
const (
	// Downloads is how many there may be at once.
	Downloads = 2
	// Deb is a file of DebBytes: larger than what a connection holds unread.
	Deb      = "trackerd_1.0-1_amd64.deb"
	DebBytes = 64 << 20
	// List is the content of Packages, Digest its SHA-256.
	List   = "Package: trackerd\n"
	Digest = "422593ab4df14a693002112104945186633817be8ffc8d8238ff79b4373f8d90"
	// key signs it.
	key = "activity-tracker.gpg"
)

// newRepository makes a folder of packages, for a server behind a proxy.
func newRepository(tb testing.TB) (served *repository.Repository, dir string) {
	tb.Helper()
	dir = tb.TempDir()
	public, err := os.ReadFile(moduleFile(tb, "internal/repository/testdata/"+key))
	if err != nil {
		tb.Fatal(err)
	}
	for name, content := range map[string]string{
		key: string(public), "InRelease": "Origin: Activity Tracker\n", Deb: "!<arch>\n", "Packages": List,
		"by-hash/SHA256/" + Digest: List, ".private": "secret", "notes.txt": "secret",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			tb.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	if err := os.Truncate(filepath.Join(dir, Deb), DebBytes); err != nil {
		tb.Fatal(err)
	}
	base, err := repository.ParseBaseURL("https://tracker.example.org/prefix")
	if err != nil {
		tb.Fatal(err)
	}
	return repository.New(repository.Options{Dir: dir, BaseURL: base, AtOnce: Downloads}), dir
}

// moduleFile returns the path of a file of the server's module, from whichever folder
// below it the tests run in.
func moduleFile(tb testing.TB, name string) string {
	tb.Helper()
	dir, err := os.Getwd()
	if err != nil {
		tb.Fatal(err)
	}
	for dir != filepath.Dir(dir) {
		if path := filepath.Join(dir, name); exists(path) {
			return path
		}
		dir = filepath.Dir(dir)
	}
	tb.Fatal("the tests run outside of the server's module")
	return ""
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
