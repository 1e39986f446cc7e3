package house

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// maxDesignLines bounds a DESIGN.md: what a reader takes in at one sitting. More
// belongs to a room of its own.
const maxDesignLines = 150

func TestDesignsAreShort(t *testing.T) {
	found := 0
	for _, pattern := range []string{"*", "*/*", "*/*/*", "*/*/*/*"} {
		designs, err := filepath.Glob(filepath.Join("..", "..", pattern, "DESIGN.md"))
		if err != nil {
			t.Fatal(err)
		}
		for _, design := range designs {
			text, err := os.ReadFile(design)
			if err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(string(text), "\n"); n > maxDesignLines {
				t.Errorf("%s has %d lines, at most %d", design, n, maxDesignLines)
			}
			found++
		}
	}
	if found < 3 {
		t.Errorf("found only %d", found)
	}
}
