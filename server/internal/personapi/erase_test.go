package personapi_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/servertest"
	"activity-tracker.example/server/internal/store/directory"
)

// Who is erased can't be read at once, nor watched; records of before are answered
// "erased", newer ones begin anew, and the certificate names nobody.
func TestErase(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	host, admin, viewer := b.Host("h"), b.Token(directory.RoleAdmin), b.Token(directory.RoleViewer)
	b.Send(host, servertest.Minute("m1", 0), servertest.Minute("m2", 0), servertest.Minute("m3", 0))
	b.Do(http.MethodPost, "/api/people/p1/accounts", admin, api.PersonJoin{MachineIDs: []string{"m2"}}).Wants(200, nil)
	b.Do(http.MethodDelete, "/api/people/p1", viewer, nil).Refused(403, api.CodeForbidden)
	before := time.Now()
	var c, again api.Erasure
	b.Do(http.MethodDelete, "/api/people/p1", admin, nil).Wants(202, &c)
	if c.Accounts != 2 || c.UnreadableSince.Before(before.Add(-time.Second)) || c.GoneSince != nil || c.BackupsUntil != nil {
		t.Errorf("%+v", c)
	}
	for _, path := range []string{"/api/people/p1", "/api/machines/m1", "/api/machines/m2", "/api/activity/m2/summary?date=2026-01-01"} {
		b.Do(http.MethodGet, path, admin, nil).Refused(404, api.CodeNotFound)
	}
	b.Do(http.MethodDelete, "/api/people/p1", admin, nil).Refused(404, api.CodeNotFound)
	b.Do(http.MethodDelete, "/api/people/x", admin, nil).Refused(404, api.CodeNotFound)
	b.Do(http.MethodDelete, "/api/people/p3?person=p3", admin, nil).Refused(400, api.CodeBadRequest)
	b.Do(http.MethodGet, fmt.Sprintf("/api/erasures/%d", c.ID), admin, nil).Wants(200, &again)
	if again != c {
		t.Errorf("%+v", again)
	}
	b.Do(http.MethodGet, "/api/erasures/999", admin, nil).Refused(404, api.CodeNotFound)
	b.Do(http.MethodGet, "/api/erasures/x", admin, nil).Refused(404, api.CodeNotFound)

	night := map[string]any{"machine_id": "m1", "start": before.Add(-time.Hour), "end": before, "reason": "hours"}
	newer := api.Event{MachineID: "m1", Timestamp: time.Now().Add(time.Minute).UTC().Truncate(time.Second)}
	var reply api.IngestReply
	b.Do(http.MethodPost, "/api/events", host, map[string]any{"events": []api.Event{servertest.Minute("m1", 0), servertest.Minute("m3", 0), newer}, "not_collected": []any{night}}).Wants(200, &reply)
	if reply.Accepted != 1 || reply.Duplicates != 1 || len(reply.Rejected) != 1 || reply.Rejected[0].Code != api.CodeErased || reply.Rejected[0].Index != 0 ||
		reply.NotCollected == nil || len(reply.NotCollected.Rejected) != 1 || reply.NotCollected.Rejected[0].Code != api.CodeErased {
		t.Errorf("%+v %+v", reply, reply.NotCollected)
	}
	var events api.EventList
	b.Do(http.MethodGet, "/api/activity/m1/events?start=2000-01-01T00:00:00Z&end=2100-01-01T00:00:00Z", viewer, nil).Wants(200, &events)
	if len(events.Events) != 1 {
		t.Errorf("%+v", events)
	}
}

// Certificates are listed page by page, the newest first.
func TestErasures(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	host, admin := b.Host("h"), b.Token(directory.RoleAdmin)
	for i := range 3 {
		b.Send(host, servertest.Minute(fmt.Sprintf("m%d", i), 0))
		b.Do(http.MethodDelete, fmt.Sprintf("/api/people/p%d", i+1), admin, nil).Wants(202, nil)
	}
	var got []int64
	for cursor := ""; ; {
		var page api.ErasureList
		b.Do(http.MethodGet, "/api/erasures?limit=2"+cursor, admin, nil).Wants(200, &page)
		for _, c := range page.Erasures {
			got = append(got, c.ID)
		}
		if page.NextCursor == "" {
			break
		}
		cursor = "&cursor=" + page.NextCursor
	}
	if fmt.Sprint(got) != "[3 2 1]" {
		t.Error(got)
	}
	for _, query := range []string{"limit=0", "limit=1001", "limit=x", "cursor=0", "cursor=x"} {
		b.Do(http.MethodGet, "/api/erasures?"+query, admin, nil).Refused(400, api.CodeBadRequest)
	}
	b.Do(http.MethodGet, "/api/erasures", b.Token(directory.RoleViewer), nil).Refused(403, api.CodeForbidden)
}
