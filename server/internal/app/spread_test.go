package app_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"activity-tracker.example/server/internal/pgtest"
	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/storetest"
	"activity-tracker.example/server/internal/store/testdb"
)

// Where Citus spreads the big tables it takes only such statements as go to one machine's
// node after another: of tables that are spread alike, without one that is not, and without
// writing within a larger statement. All that the whole API, maintenance and erasing really
// execute where a database is spread is looked at, on one node.
func TestStatementsMaySpread(t *testing.T) {
	t.Parallel()
	cluster := pgtest.StartRecorded(t)
	url := cluster.URL("postgres")
	storetest.Prepared(t, url, storetest.Options{}).Close()
	testdb.PretendSpread(t, url)
	exerciseAll(t, url)
	big := bigTables(t, url)
	if spread := slices.Sorted(slices.Values(db.SpreadTables())); !slices.Equal(big, spread) {
		t.Errorf("big are %v, spread are %v", big, spread)
	}
	of := regexp.MustCompile(`^(` + strings.Join(big, "|") + `)(_default|_week_\d+|_\d+)?$`)
	seen, merged := 0, false
	for _, p := range cluster.Plans() {
		s := statement{of: of}
		s.read(&p.Node, true)
		if len(s.big) == 0 {
			continue
		}
		seen++
		merged = merged || strings.Contains(p.Query, "ON CONFLICT (machine, ts) DO NOTHING RETURNING")
		if len(s.others) > 0 {
			t.Errorf("%v are joined with %v by: %s", s.big, s.others, p.Query)
		}
		if s.within {
			t.Errorf("%v are written within: %s", s.big, p.Query)
		}
		if _, lacking := scans(p.Node, nil, of); len(lacking) > 0 && excused(p.Query) == "" {
			t.Errorf("%v are read without a machine by: %s", lacking, p.Query)
		}
		if strings.Contains(p.Query, "ctid") {
			t.Errorf("rows are found by their places by: %s", p.Query)
		}
	}
	if !merged {
		t.Error("no event was written as where a database is spread")
	}
	if seen < 100 {
		t.Errorf("only %d statements are about big tables", seen)
	}
}

// statement is what a plan is about.
type statement struct {
	of *regexp.Regexp
	// big and others are the tables.
	big, others []string
	// within means that one is written that is big, and not by the whole statement.
	within bool
}

func (s *statement) read(n *pgtest.Node, top bool) {
	if n.Relation != "" {
		list := &s.others
		if s.of.MatchString(n.Relation) {
			list = &s.big
			s.within = s.within || n.Type == "ModifyTable" && !top
		}
		if !slices.Contains(*list, n.Relation) {
			*list = append(*list, n.Relation)
		}
	}
	for i := range n.Plans {
		s.read(&n.Plans[i], false)
	}
}
