package house

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	// maxFiles and maxLines bound a package without its tests, so that a stranger
	// sees all of it in a minute: files, and lines that hold code rather than a
	// comment or nothing.
	maxFiles = 14
	maxLines = 1500
	// maxLarge bounds how many packages may be larger.
	maxLarge = 3
)

// large are the packages that may be larger, each with its reason.
func large() map[string]string {
	return map[string]string{
		"sessiond/internal/x11": "one client of one protocol: what guards against a server that lies is of no use without the rest",
	}
}

// TestRulesOfSize holds every package of the workspace to its size.
func TestRulesOfSize(t *testing.T) {
	prefix := modulePrefix(t)
	var all []size
	for _, module := range modules(t) {
		for _, p := range packages(t, module) {
			s := size{name: below(prefix, p.ImportPath), files: len(p.GoFiles)}
			for _, file := range p.GoFiles {
				text, err := os.ReadFile(filepath.Join(p.Dir, file))
				if err != nil {
					t.Fatal(err)
				}
				s.lines += codeLines(string(text))
			}
			all = append(all, s)
		}
	}
	for _, v := range oversized(all, large()) {
		t.Error(v)
	}
}

// size is how large a package is.
type size struct {
	name         string
	files, lines int
}

// oversized returns which packages are too large, and what of the list of those that
// may be is wrong.
func oversized(all []size, allowed map[string]string) []string {
	var found []string
	if len(allowed) > maxLarge {
		found = append(found, fmt.Sprintf("%d packages may be larger, at most %d", len(allowed), maxLarge))
	}
	left := maps.Clone(allowed)
	for _, s := range all {
		if s.files <= maxFiles && s.lines <= maxLines {
			continue
		}
		if _, ok := allowed[s.name]; ok {
			delete(left, s.name)
			continue
		}
		found = append(found, fmt.Sprintf("%s: %d files and %d lines of code; at most %d and %d: it is two packages", s.name, s.files, s.lines, maxFiles, maxLines))
	}
	for _, name := range slices.Sorted(maps.Keys(left)) {
		found = append(found, name+": not that large any more; take it off the list")
	}
	for name, reason := range allowed {
		if strings.TrimSpace(reason) == "" {
			found = append(found, name+": it may be larger without a reason")
		}
	}
	return found
}

// codeLines counts lines that are neither empty nor a comment of their own.
func codeLines(text string) int {
	n := 0
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "//") {
			n++
		}
	}
	return n
}

func TestOversized(t *testing.T) {
	tests := []struct {
		name    string
		all     []size
		allowed map[string]string
		want    []string
	}{
		{"at the bounds", []size{{"a", maxFiles, maxLines}}, nil, nil},
		{"files", []size{{"a", maxFiles + 1, 1}}, nil, []string{"a: 15 files"}},
		{"lines", []size{{"a", 1, maxLines + 1}}, nil, []string{"1501 lines"}},
		{"allowed", []size{{"a", 1, maxLines + 1}}, map[string]string{"a": "one thing"}, nil},
		{"allowed without a reason", []size{{"a", 1, maxLines + 1}}, map[string]string{"a": " "}, []string{"without a reason"}},
		{"no longer", []size{{"a", 1, 1}}, map[string]string{"a": "one thing"}, []string{"take it off"}},
		{
			"too many",
			[]size{{"a", 15, 1}, {"b", 15, 1}, {"c", 15, 1}, {"d", 15, 1}},
			map[string]string{"a": "x", "b": "x", "c": "x", "d": "x"},
			[]string{"4 packages may be larger"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := oversized(tt.all, tt.allowed); !slices.EqualFunc(got, tt.want, strings.Contains) {
				t.Errorf("found %q, want %q", got, tt.want)
			}
		})
	}
}

func TestCodeLines(t *testing.T) {
	if n := codeLines("// Package a.\npackage a\n\n\t// b\nvar b = 1 // one\n"); n != 2 {
		t.Errorf("%d lines, want 2", n)
	}
}
