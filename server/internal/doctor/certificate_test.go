package doctor

import (
	"strings"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/httpserver"
	"activity-tracker.example/server/internal/quantity"
)

func TestCertificate(t *testing.T) {
	now := time.Date(2026, 5, 20, 12, 0, 0, 0, time.UTC)
	names := []string{"a.example", "b.example", "c.example", "d.example"}
	for _, test := range []struct {
		name string
		// ago and left are when it begins and ends.
		ago, left time.Duration
		names     []string
		result    api.CheckResult
		words     string
	}{
		{"fresh", time.Hour, 90 * quantity.Day, names, api.CheckOK, "a.example, b.example, c.example and 1 more: ends in 90d, at 2026-08-18 12:00 UTC"},
		{"three weeks", 70 * quantity.Day, 21 * quantity.Day, names[:1], api.CheckOK, "a.example: ends in 21d"},
		{"less", 70 * quantity.Day, 21*quantity.Day - time.Minute, names[:1], api.CheckWarning, "a.example: ends in 20d 23h"},
		{"of a day", 6 * time.Hour, 18 * time.Hour, names, api.CheckOK, "ends in 18h"},
		{"of a day, late", 19 * time.Hour, 5 * time.Hour, names, api.CheckWarning, "ends in 5h"},
		{"ended", 90 * quantity.Day, -quantity.Day, names, api.CheckFailed, "ended 1d ago"},
		{"of tomorrow", -time.Hour, quantity.Day, names, api.CheckFailed, "good only from 2026-05-20 13:00 UTC on"},
		{"of no name", time.Hour, 90 * quantity.Day, nil, api.CheckFailed, "subjectAltName"},
	} {
		c := checkCertificate(httpserver.Certificate{Names: test.names, Begins: now.Add(-test.ago), Ends: now.Add(test.left)}, now, "do this")
		if c.Result != test.result || !strings.Contains(c.Detail, test.words) || (c.Advice == "") != (c.Result == api.CheckOK) {
			t.Errorf("%s: %+v", test.name, c)
		}
	}
}
