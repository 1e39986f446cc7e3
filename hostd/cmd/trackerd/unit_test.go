package main

import (
	"strings"
	"testing"
	"time"

	"activity-tracker.example/hostd/control"
)

func TestStatusLine(t *testing.T) {
	uploaded := time.Date(2026, time.November, 22, 12, 3, 5, 0, time.UTC)
	enrolled := control.Destination{URL: "https://a.example", Enrolled: true}
	for want, f := range map[string]facts{
		"Tracking 2 sessions; 14 events waiting; last upload 2026-11-22 12:03:05 UTC": {
			sessions: 2, waiting: 14, server: enrolled, upload: control.Upload{LastSuccess: &uploaded},
		},
		"Tracking 0 sessions; 1 event waiting; no upload yet; upload failing: the server answered 503": {
			waiting: 1, server: enrolled, upload: control.Upload{LastError: "the server answered 503"},
		},
		"Not enrolled: run 'trackctl enroll URL -' as root; tracking 1 session; 12 events waiting": {
			sessions: 1, waiting: 12,
		},
		"Not enrolled: run 'trackctl enroll https://a.example -' as root; tracking 1 session; 0 events waiting": {
			sessions: 1, server: control.Destination{URL: "https://a.example"},
		},
		"Tracking 1 session; 0 events waiting; no upload yet; 2 users not measured: see 'trackctl doctor'": {
			sessions: 1, server: enrolled, leftOut: 2,
		},
		"Tracking 1 session; 0 events waiting; no upload yet; 3 events refused for now: see 'trackctl rejected list'": {
			sessions: 1, server: enrolled, later: 3,
		},
		"Not enrolled: the credential is damaged; tracking 0 sessions; 0 events waiting; the disk is full": {
			server: control.Destination{Problem: "the credential is damaged"}, problem: "the disk is full",
		},
	} {
		if got := f.line(); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	long := facts{server: enrolled, upload: control.Upload{LastError: strings.Repeat("ä", maxErrorBytes) + "\nsecond"}}.line()
	if len(long) > 2*maxErrorBytes || strings.Contains(long, "\n") || strings.Contains(long, "\ufffd") {
		t.Errorf("long error: %q", long)
	}
}
