package house

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// exitManPages are those with a section of exit codes.
var exitManPages = []string{
	"packaging/trackerd/man/trackerd.8", "packaging/trackerd/man/trackctl.1", "packaging/trackerd-server/man/trackerd-server.8",
}

// TestExitCodes holds the constants of the programs and the man pages to the README's
// table: one meaning for each code.
func TestExitCodes(t *testing.T) {
	read := func(name string) string {
		t.Helper()
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	_, section, _ := strings.Cut(read("README.md"), "### Exit codes")
	section, _, _ = strings.Cut(section, "\n## ")
	table := map[string]bool{}
	for _, row := range regexp.MustCompile(`(?m)^\| (\d+) \| \S`).FindAllStringSubmatch(section, -1) {
		if table[row[1]] {
			t.Errorf("README has two meanings for %s", row[1])
		}
		table[row[1]] = true
	}
	used := map[string]bool{"2": true} // of Go's runtime
	constant := regexp.MustCompile(`(?m)^\tExit(\w+) += (\d+)`)
	for _, file := range []string{"server/api/exit.go", "sessiond/internal/launch/process.go"} {
		for _, found := range constant.FindAllStringSubmatch(read(file), -1) {
			used[found[2]] = true
		}
	}
	if want, got := slices.Sorted(maps.Keys(used)), slices.Sorted(maps.Keys(table)); !slices.Equal(want, got) {
		t.Errorf("README has the codes %v, the programs %v", got, want)
	}
	for _, page := range exitManPages {
		_, status, _ := strings.Cut(read(page), ".SH EXIT STATUS\n")
		status, _, _ = strings.Cut(status, "\n.SH ")
		codes := regexp.MustCompile(`(?m)^\.B (\d+)$`).FindAllStringSubmatch(status, -1)
		if len(codes) < 3 {
			t.Errorf("%s has only %d exit codes", page, len(codes))
		}
		for _, code := range codes {
			if !table[code[1]] {
				t.Errorf("%s has the exit code %s, which README lacks", page, code[1])
			}
		}
	}
}
