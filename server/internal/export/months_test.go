package export_test

import (
	"encoding/csv"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/server/internal/report/closing"
	"activity-tracker.example/server/internal/store/directory"
)

// close closes a month of everybody.
func (o *office) close(month string) {
	o.t.Helper()
	d, err := closing.ParseDraft(month, "", "UTC")
	o.must(err)
	_, err = o.Months.Close(o.t.Context(), directory.Scope{}, d.Of, d.Calendar)
	o.must(err)
}

// An export has the days of closed months, but no figures in which another's account has a
// part: the month is there without them.
func TestExportOfClosedMonths(t *testing.T) {
	o := newOffice(t)
	o.close("2026-04")
	o.join("boris-1", "anna-2")
	o.close("2026-03")
	o.join("anna-1", "anna-2")
	days := time.Date(2026, 4, 30, 0, 0, 0, 0, time.UTC).Day()
	for name, want := range map[string]int{"anna": days + 31 + 1, "boris": days + 1} {
		files := o.export(name + "-1")
		if n := rows(t, files, "months"); n != want {
			t.Errorf("%s: %d days, want %d", name, n, want)
		}
		table, err := csv.NewReader(strings.NewReader(files["months.csv"])).ReadAll()
		o.must(err)
		figures, mixed := 0, 0
		for _, row := range table[1:] {
			switch {
			case row[5] == "true":
				if mixed++; strings.Join(row[7:], "")+row[4] != "" {
					t.Errorf("%s: %v", name, row)
				}
			case row[4] != "person called "+name && row[4] != "'person called "+name:
				t.Errorf("%s: %v", name, row)
			case row[9] != "0":
				figures++
			}
		}
		if mixed != 1 || figures < 20 {
			t.Errorf("%s: %d days with figures, %d months without: %v", name, figures, mixed, table[:3])
		}
	}
}
