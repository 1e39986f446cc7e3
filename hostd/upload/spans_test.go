package upload

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"activity-tracker.example/server/api"
)

// spans are n of a machine.
func spans(machine string, n int) []string {
	var out []string
	for i := range n {
		out = append(out, fmt.Sprintf(`{"start":"2027-01-15T08:%02d:00Z","end":"2027-01-15T09:00:00Z","machine_id":"%s","reason":"pause"}`, i, machine))
	}
	return out
}

// answersSpans has a server that answers spans too, and keeps them.
type answersSpans struct {
	older  bool // it knows none
	reject map[string]api.Code
	stored map[string]int
}

func (a *answersSpans) serve(s *fakeServer) func(http.ResponseWriter, *sentBatch) bool {
	return func(w http.ResponseWriter, b *sentBatch) bool {
		reply := api.IngestReply{Accepted: len(b.Events)}
		for _, e := range b.Events {
			s.stored[string(e)]++
		}
		if b.NotCollected != nil && !a.older {
			reply.NotCollected = &api.NotCollectedReply{}
			for i, raw := range b.NotCollected {
				var one api.NotCollected
				_ = json.Unmarshal(raw, &one)
				switch code := a.reject[one.MachineID]; {
				case code != "":
					reply.NotCollected.Rejected = append(reply.NotCollected.Rejected, api.Rejection{Index: i, Code: code})
				case a.stored[string(raw)] > 0:
					reply.NotCollected.Duplicates++
				default:
					a.stored[string(raw)]++
					reply.NotCollected.Accepted++
				}
			}
		}
		_ = json.NewEncoder(w).Encode(reply)
		return true
	}
}

func newSpansRig(t *testing.T, waiting ...string) (*laterRig, *answersSpans) {
	t.Helper()
	r, a := newLaterRig(t, waiting...), &answersSpans{reject: map[string]api.Code{}, stored: map[string]int{}}
	r.srv.batch = a.serve(r.srv)
	return r, a
}

// Spans go beside events, each is settled by its own answer, wherever among the events it
// waits.
func TestSpansAreSettledByTheirOwnAnswer(t *testing.T) {
	ann, bob, events := spans("ann", 3), spans("bob", 2), eventsOf("ann", 2)
	r, a := newSpansRig(t, ann[0], events[0], bob[0], ann[1], bob[1], events[1], ann[2])
	a.reject["bob"] = api.CodeUnknownMachine
	p := r.round()
	if len(r.waiting()) != 0 || r.later() != 2 || len(r.srv.stored) != 2 || len(a.stored) != 3 || len(r.up.Status().Dead) != 0 {
		t.Fatalf("%v wait, %d later, stored %v, %v", r.waiting(), r.later(), r.srv.stored, a.stored)
	}
	for g := range r.buf.Later() {
		if g.Code != string(api.CodeUnknownMachine) || g.MachineID != "bob" {
			t.Errorf("group %+v", g)
		}
	}
	delete(a.reject, "bob")
	r.now = p.until
	r.round()
	if r.later() != 0 || len(a.stored) != 5 || a.stored[bob[1]] != 1 {
		t.Errorf("%d later, stored %v", r.later(), a.stored)
	}
}

// A server that knows no spans loses none: they wait until it is newer, and events go on.
func TestSpansWaitForANewerServer(t *testing.T) {
	r, a := newSpansRig(t, append(spans("ann", 2), eventsOf("ann", 2)...)...)
	a.older = true
	p := r.round()
	if len(r.waiting()) != 0 || r.later() != 2 || len(r.srv.stored) != 2 {
		t.Fatalf("%v wait, %d later, stored %v", r.waiting(), r.later(), r.srv.stored)
	}
	a.older = false
	r.now = p.until
	r.round()
	if r.later() != 0 || len(a.stored) != 2 {
		t.Errorf("%d later, stored %v", r.later(), a.stored)
	}
}

// An answer about spans that does not add up settles nothing, of the events neither.
func TestBadAnswersAboutSpans(t *testing.T) {
	for name, answer := range map[string]string{
		"too few":      `{"accepted":1,"not_collected":{"accepted":1}}`,
		"too many":     `{"accepted":1,"not_collected":{"accepted":2,"duplicates":1}}`,
		"negative":     `{"accepted":1,"not_collected":{"accepted":3,"duplicates":-1}}`,
		"index beyond": `{"accepted":1,"not_collected":{"accepted":1,"rejected":[{"index":2,"code":"x"}]}}`,
		"index twice":  `{"accepted":1,"not_collected":{"rejected":[{"index":0,"code":"x"},{"index":0,"code":"x"}]}}`,
	} {
		r, _ := newSpansRig(t, append(spans("ann", 2), eventsOf("ann", 1)...)...)
		r.srv.batch = func(w http.ResponseWriter, _ *sentBatch) bool {
			_, _ = w.Write([]byte(answer))
			return true
		}
		if p := r.round(); len(r.waiting()) != 3 || p.state != StateBackoff {
			t.Errorf("%s: %d wait, %+v", name, len(r.waiting()), p)
		}
	}
}
