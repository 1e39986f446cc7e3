package house

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// migrationName is what a file of a migration is called.
var migrationName = regexp.MustCompile(`^([0-9]{4})_[a-z0-9_]+\.sql$`)

// TestMigrationNumbers finds what two branches that were merged have numbered
// alike, before a server refuses to start for it.
func TestMigrationNumbers(t *testing.T) {
	entries, err := os.ReadDir(filepath.Join(root, "server/internal/store/db/migrations"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	if len(names) == 0 {
		t.Fatal("there are no migrations")
	}
	for _, wrong := range misnumbered(names) {
		t.Error(wrong)
	}
}

// misnumbered returns what is wrong with the numbers of migrations, which count up
// from 1 without a gap.
func misnumbered(names []string) []string {
	var wrong []string
	byNumber := map[string][]string{}
	for _, name := range names {
		found := migrationName.FindStringSubmatch(name)
		if found == nil {
			wrong = append(wrong, fmt.Sprintf("migration %s: want a name such as %04d_what_it_does.sql", name, len(names)))
			continue
		}
		byNumber[found[1]] = append(byNumber[found[1]], name)
	}
	free := func() string {
		for n := 1; ; n++ {
			if number := fmt.Sprintf("%04d", n); byNumber[number] == nil {
				return number
			}
		}
	}()
	for number, same := range byNumber {
		slices.Sort(same)
		if len(same) > 1 {
			wrong = append(wrong, fmt.Sprintf("migrations %s have one number: rename the one that no released server has applied, the next free number is %s",
				strings.Join(same, " and "), free))
		}
		if number == "0000" {
			wrong = append(wrong, fmt.Sprintf("migration %s: numbers begin with 0001", same[0]))
		}
		if number > free {
			wrong = append(wrong, fmt.Sprintf("migration %s: there is none with the number %s; they count up from 0001 without a gap", same[0], free))
		}
	}
	slices.Sort(wrong)
	return wrong
}

func TestMisnumbered(t *testing.T) {
	tests := []struct {
		name  string
		names []string
		want  []string
	}{
		{"right", []string{"0001_initial.sql", "0003_c.sql", "0002_b_2.sql"}, nil},
		{"twice", []string{"0001_a.sql", "0002_c.sql", "0002_b.sql"}, []string{"migrations 0002_b.sql and 0002_c.sql have one number"}},
		{"twice, and free", []string{"0001_a.sql", "0002_c.sql", "0002_b.sql", "0003_d.sql"}, []string{"the next free number is 0004"}},
		{"gap", []string{"0001_a.sql", "0003_c.sql"}, []string{"0003_c.sql: there is none with the number 0002"}},
		{"from nought", []string{"0000_a.sql", "0001_b.sql"}, []string{"0000_a.sql: numbers begin"}},
		{"no number", []string{"0001_a.sql", "b.sql"}, []string{"b.sql: want a name such as 0002_"}},
		{"short number", []string{"0001_a.sql", "2_b.sql"}, []string{"2_b.sql: want"}},
		{"no migration", []string{"0001_a.sql", "0002_b.sql~"}, []string{"0002_b.sql~: want"}},
		{"none", nil, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := misnumbered(tt.names)
			if !slices.EqualFunc(got, tt.want, strings.Contains) {
				t.Errorf("found %q, want %q", got, tt.want)
			}
		})
	}
}
