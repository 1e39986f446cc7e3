package httpapi_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/servertest"
	"activity-tracker.example/server/internal/store/directory"
)

// Spans of not_collected come beside events, are answered like them, and are shown in the
// person's day; sent again they change nothing.
func TestNotCollected(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	host, other, viewer := b.Host("h"), b.Host("other"), b.Token(directory.RoleViewer)
	start := time.Date(2024, 1, 15, 10, 0, 0, 0, time.UTC)
	spans := []api.NotCollected{
		{MachineID: "m", Start: start.Add(-time.Hour), End: start, Reason: api.NotCollectedHours},
		{MachineID: "nobody", Start: start, End: start.Add(time.Hour), Reason: api.NotCollectedHours},
		{MachineID: "m", Start: start, End: start, Reason: api.NotCollectedPause},
		{MachineID: "m", Start: start.Add(-time.Hour), End: start.Add(-50 * time.Minute), Reason: api.NotCollectedPause},
	}
	send := func(credential string, batch api.EventBatch) (reply api.IngestReply) {
		b.Do(http.MethodPost, "/api/events", credential, batch).Wants(http.StatusOK, &reply)
		return reply
	}
	events := []api.Event{{MachineID: "m", Timestamp: start}} // one that makes the machine
	for round, want := range []int{2, 0} {
		got := send(host, api.EventBatch{Events: events, NotCollected: spans}).NotCollected
		if got == nil || got.Accepted != want || got.Duplicates != 2-want || len(got.Rejected) != 2 ||
			got.Rejected[0].Code != api.CodeUnknownMachine || got.Rejected[0].Index != 1 || got.Rejected[1].Code != api.CodeOutOfRange {
			t.Errorf("round %d: %+v", round, got)
		}
	}
	if got := send(other, api.EventBatch{Events: []api.Event{}, NotCollected: spans[:1]}).NotCollected; got == nil || len(got.Rejected) != 1 ||
		got.Rejected[0].Code != api.CodeForeignMachine || !strings.Contains(got.Rejected[0].Message, "--to other") {
		t.Errorf("another host: %+v", got)
	}
	if got := send(host, api.EventBatch{Events: events}); got.NotCollected != nil {
		t.Errorf("without spans: %+v", got.NotCollected)
	}
	many := api.EventBatch{Events: []api.Event{}, NotCollected: make([]api.NotCollected, api.MaxNotCollected+1)}
	b.Do(http.MethodPost, "/api/events", host, many).Refused(http.StatusRequestEntityTooLarge, api.CodeTooLarge)
	b.Do(http.MethodPost, "/api/events", "", api.EventBatch{NotCollected: spans}).Refused(http.StatusUnauthorized, api.CodeUnauthorized)
	var d api.PersonDay
	b.Do(http.MethodGet, "/api/people/p1/day?date=2024-01-15", viewer, nil).Wants(http.StatusOK, &d)
	var told []string
	for _, s := range d.Segments {
		told = append(told, s.Start.Format("15:04 ")+s.State+" "+string(s.Reason))
	}
	if got := strings.Join(told, ", "); got != "00:00 unknown , 09:00 not_collected pause, 09:10 not_collected hours, 10:00 active , 10:01 unknown " {
		t.Error(got)
	}
	csv := b.Do(http.MethodGet, "/api/people/p1/day?date=2024-01-15&format=csv", viewer, nil).Body
	if want := "not_collected,2024-01-15T09:00:00Z,2024-01-15T09:10:00Z,0,pause\r\n"; !strings.Contains(string(csv), want) {
		t.Errorf("the table lacks %q: %s", want, csv)
	}
}
