package upload

import (
	"net/http"
	"testing"
)

// TestPolicyRevision: the revision of the server's policies that a reply names is passed
// on, and a reply without one names none.
func TestPolicyRevision(t *testing.T) {
	r := newRig(t, `{"machine_id":"a","timestamp":"2026-11-23T12:00:00Z"}`)
	var told []int64
	r.up.o.Policy = func(revision int64) { told = append(told, revision) }
	r.round()
	if len(told) > 0 {
		t.Errorf("told %v of nothing", told)
	}
	r.srv.before = func(w http.ResponseWriter, _ []string) bool {
		_, _ = w.Write([]byte(`{"accepted":1,"duplicates":0,"rejected":[],"policy_revision":7}`))
		return true
	}
	r.add(`{"machine_id":"a","timestamp":"2026-11-23T12:01:00Z"}`)
	if r.round(); len(told) != 1 || told[0] != 7 {
		t.Errorf("told %v, want 7", told)
	}
}
