package backup

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// Only what nobody writes any more, and what pg_dump wrote for us, is cleared away.
func TestClearLeft(t *testing.T) {
	dir := t.TempDir()
	written, err := unfinishedIn(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = written.Close() }()
	if _, err := written.WriteString(archiveMagic + "..."); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		unfinished + "1": archiveMagic + "...", unfinished + "2": "another's", unfinished + "3": "",
		"." + unfinished + "4": archiveMagic, "a.dump": archiveMagic,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	others := filepath.Join(dir, unfinished+"5")
	if err := os.WriteFile(others, []byte(archiveMagic), 0o600); err != nil {
		t.Fatal(err)
	}
	const nobody = 65534
	if err := os.Chown(others, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("a.dump", filepath.Join(dir, unfinished+"6")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, unfinished+"7"), 0o700); err != nil {
		t.Fatal(err)
	}
	want := []string{filepath.Join(dir, unfinished+"1")}
	if removed, err := ClearLeft(dir); err != nil || !slices.Equal(removed, want) {
		t.Errorf("%q, %v; want %q", removed, err, want)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 8 {
		t.Errorf("%v, %v", left, err)
	}
	// As if its writer were killed.
	if err := written.Close(); err != nil {
		t.Fatal(err)
	}
	if removed, err := ClearLeft(dir); err != nil || !slices.Equal(removed, []string{written.Name()}) {
		t.Errorf("%q, %v", removed, err)
	}
}
