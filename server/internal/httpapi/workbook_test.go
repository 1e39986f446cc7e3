package httpapi_test

import (
	"bytes"
	"encoding/csv"
	"net/http"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"

	"activity-tracker.example/server/internal/servertest"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/tabular"
)

// tableRoutes are questions whose answers have rows, one for each kind of row.
var tableRoutes = []string{
	"/api/machines", "/api/machines?limit=1", "/api/machines/vm-abc123-user1", "/api/groups", "/api/groups/Reception",
	"/api/groups/Reception/machines", "/api/categories",
	"/api/activity/vm-abc123-user1/events?start=2024-01-15T00:00:00Z&end=2024-01-16T00:00:00Z",
	"/api/activity/vm-abc123-user1/summary?date=2024-01-15", "/api/activity/vm-abc123-user1/timeline?date=2024-01-15",
	"/api/reports/activity?from=2024-01-15&to=2024-01-15", "/api/reports/apps?from=2024-01-15&to=2024-01-15",
	"/api/reports/activity?from=2024-01-15&to=2024-01-15&per=person", "/api/reports/apps?from=2024-01-15&to=2024-01-15&per=person",
	"/api/reports/day?date=2024-01-15", "/api/reports/rhythm?from=2024-01-15&to=2024-01-15",
}

// with adds a parameter to a question.
func with(path, parameter string) string {
	if strings.Contains(path, "?") {
		return path + "&" + parameter
	}
	return path + "?" + parameter
}

// Every table there is as CSV is there as a workbook and for double-clicking, with the
// same rows.
func TestEveryTableInEveryForm(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	viewer := b.Token(directory.RoleViewer)
	b.Send(b.Host("h"), servertest.Minute("vm-abc123-user1", 0), servertest.Minute("vm-abc123-user2", 1))
	b.Group("Reception", "vm-abc123-user1")
	for _, path := range tableRoutes {
		want := len(b.Do(http.MethodGet, with(path, "format=csv"), viewer, nil).Table())
		for _, r := range []servertest.Reply{
			b.Do(http.MethodGet, with(path, "format=xlsx"), viewer, nil),
			b.Do(http.MethodGet, path, viewer, nil, "Accept", tabular.WorkbookType),
		} {
			r.Wants(http.StatusOK, nil)
			file, err := excelize.OpenReader(bytes.NewReader(r.Body))
			if err != nil {
				t.Errorf("%s: %v", r.What, err)
				continue
			}
			rows, err := file.GetRows("Sheet1")
			if err != nil || len(rows) != want || !strings.HasSuffix(r.Header.Get("Content-Disposition"), `.xlsx"`) {
				t.Errorf("%s: %d rows, want %d, %v %v", r.What, len(rows), want, r.Header, err)
			}
			_ = file.Close()
		}
		r := b.Do(http.MethodGet, with(path, "format=csv&for=excel"), viewer, nil)
		r.Wants(http.StatusOK, nil)
		text, marked := bytes.CutPrefix(r.Body, []byte("\ufeff"))
		table := csv.NewReader(bytes.NewReader(text))
		table.Comma = ';'
		if rows, err := table.ReadAll(); err != nil || len(rows) != want || !marked {
			t.Errorf("%s: %d rows, want %d; marked: %v, %v", r.What, len(rows), want, marked, err)
		}
	}
}
