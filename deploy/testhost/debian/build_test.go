package debian

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"activity-tracker.example/testhost/internal/wait"
)

// TestRemoveUnused keeps what is in use or in the making, of whatever recipe.
func TestRemoveUnused(t *testing.T) {
	dir := t.TempDir()
	now, old := time.Now(), time.Now().Add(-keepUnused-time.Hour)
	for name, at := range map[string]time.Time{
		"bookworm-xrdp-1": now, "trixie-xrdp-1": now, "trixie-xrdp-2.tmp": now,
		"bookworm-xrdp-2": old, "trixie-bare-3.tmp": old, "trixie-bare-4.tmp": old,
	} {
		path := filepath.Join(dir, treePrefix+name)
		if err := os.MkdirAll(filepath.Join(path, "etc"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	unlock, err := wait.Lock(t.Context(), filepath.Join(dir, treePrefix+"trixie-bare-4.lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	if err := removeUnused(dir); err != nil {
		t.Fatal(err)
	}
	var left []string
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() {
			left = append(left, e.Name()[len(treePrefix):])
		}
	}
	want := []string{"bookworm-xrdp-1", "trixie-bare-4.tmp", "trixie-xrdp-1", "trixie-xrdp-2.tmp"}
	if !slices.Equal(left, want) {
		t.Errorf("left are %q, want %q", left, want)
	}
}

// TestBuildTakesWhatIsThere finds a tree by its recipe and notes its use.
func TestBuildTakesWhatIsThere(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	dir, err := cacheDir()
	if err != nil {
		t.Fatal(err)
	}
	recipe := Bare(Trixie)
	tree := filepath.Join(dir, treePrefix+recipe.id())
	if err := os.Mkdir(tree, 0o755); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-keepUnused)
	if err := os.Chtimes(tree, old, old); err != nil {
		t.Fatal(err)
	}
	if got, err := Build(t.Context(), recipe, io.Discard); got != tree || err != nil {
		t.Fatalf("Build = %q, %v; want %q", got, err, tree)
	}
	if info, err := os.Stat(tree); err != nil || time.Since(info.ModTime()) > time.Hour {
		t.Errorf("its use is not noted: %v, %v", info.ModTime(), err)
	}
}

// TestRecipesDiffer has each change of a recipe name another tree.
func TestRecipesDiffer(t *testing.T) {
	seen := map[string]string{}
	for name, r := range map[string]Recipe{
		"bare 12": Bare(Bookworm), "bare 13": Bare(Trixie),
		"xrdp 12": XRDP(Bookworm), "xrdp 13": XRDP(Trixie),
		"xfce 12": XFCE(Bookworm), "xfce 13": XFCE(Trixie),
		"more packages": XRDP(Trixie).With("xrdp", "sway"),
		"a script":      {Suite: Trixie, Name: "bare", Packages: minimal, Customize: "true"},
	} {
		if other, ok := seen[r.id()]; ok {
			t.Errorf("%s and %s are one tree", name, other)
		}
		seen[r.id()] = name
	}
}
