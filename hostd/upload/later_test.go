package upload

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"activity-tracker.example/hostd/buffer"
	"activity-tracker.example/hostd/outbound"
)

// laterRig is a rig with a clock, and events of two accounts.
type laterRig struct {
	*rig
	now time.Time
}

func newLaterRig(t *testing.T, events ...string) *laterRig {
	t.Helper()
	r := &laterRig{rig: newRig(t, events...), now: time.Unix(1_800_000_000, 0)}
	r.up.o.Now = func() time.Time { return r.now }
	return r
}

func eventsOf(machine string, n int) []string {
	var out []string
	for i := range n {
		out = append(out, fmt.Sprintf(`{"machine_id":"%s","timestamp":"2027-01-15T08:%02d:00Z","n":%d}`, machine, i%60, i))
	}
	return out
}

// refuses has the server refuse the events of a machine.
func (r *laterRig) refuses(machine, code string) {
	r.srv.reject = func(e string) string {
		if strings.Contains(e, machine) {
			return code
		}
		return ""
	}
}

func (r *laterRig) later() int {
	n := 0
	for _, t := range r.buf.Later() {
		n += t.Events
	}
	return n
}

// TestLaterIsTriedAgain: what the server may take later waits beside the queue. One
// event is tried, more and more seldom; when it is taken, so are the others.
func TestLaterIsTriedAgain(t *testing.T) {
	r := newLaterRig(t, append(eventsOf("ann", 5), eventsOf("bob", 3)...)...)
	r.refuses("ann", "foreign_machine")
	p := r.round()
	if len(r.waiting()) != 0 || r.later() != 5 || len(r.srv.stored) != 3 || len(r.up.Status().Dead) != 0 {
		t.Fatalf("%d wait, %d later, stored %v", len(r.waiting()), r.later(), r.srv.stored)
	}
	if want := r.now.Add(laterBase); !p.until.Equal(want) {
		t.Errorf("the first try is at %s, want %s", p.until, want)
	}
	var pauses []time.Duration
	for range 10 {
		r.now = p.until
		r.srv.sizes = nil
		p = r.round()
		if !slices.Equal(r.srv.sizes, []int{1}) {
			t.Fatalf("requests of %v events, want one of one", r.srv.sizes)
		}
		due := r.up.sooner(r.now.Add(24 * time.Hour))
		if told := r.up.Status().Later; len(told) != 1 || !told[0].NextTry.Equal(due) || told[0].Events != 5 {
			t.Errorf("status tells of %+v, due is %s", told, due)
		}
		pauses = append(pauses, due.Sub(r.now))
		p.until = due
	}
	for i, d := range pauses { // Random is 0.5: an eighth less than the most
		if want := min(laterBase<<(i+1), laterCap) * 7 / 8; d != want {
			t.Errorf("pause %d is %s, want %s", i, d, want)
		}
	}
	// New events of others do not wait, and go first.
	r.add(eventsOf("bob2", 2)...)
	r.now = r.now.Add(time.Second)
	r.round()
	if len(r.srv.stored) != 5 || r.later() != 5 {
		t.Errorf("%d stored, %d later", len(r.srv.stored), r.later())
	}
	r.srv.reject = nil
	r.now, r.srv.sizes = p.until, nil
	r.round()
	if r.later() != 0 || len(r.srv.stored) != 10 || !slices.Equal(r.srv.sizes, []int{1, 4}) {
		t.Errorf("%d later, %d stored, requests of %v events", r.later(), len(r.srv.stored), r.srv.sizes)
	}
	if s := r.up.Status(); len(s.Later) != 0 {
		t.Errorf("status %+v", s)
	}
}

// TestWhatBecomesOfTheRefused: by the contract's table.
func TestWhatBecomesOfTheRefused(t *testing.T) {
	for code, want := range map[string]string{
		"foreign_machine": "later", "too_many_machines": "later", "bad_timestamp": "later", "invented_tomorrow": "later",
		"out_of_range": "dead", "bad_event": "dead", "erased": "forgotten",
	} {
		r := newLaterRig(t, eventsOf("ann", 2)...)
		r.refuses("ann", code)
		r.round()
		s := r.buf.Status()
		got := map[string]int{"later": r.later(), "dead": s.DeadKept, "forgotten": int(s.Forgotten)}
		if got[want] != 2 || got["later"]+got["dead"]+got["forgotten"] != 2 {
			t.Errorf("%s: %v, want both %s", code, got, want)
		}
	}
	r := newLaterRig(t, `{"machine_id":"ann","timestamp":"1999-12-31T23:59:00Z"}`)
	r.refuses("ann", "bad_timestamp")
	if r.round(); r.buf.Status().DeadKept != 1 {
		t.Errorf("a timestamp that never comes true: %+v", r.buf.Status())
	}
}

// TestLaterForAnotherReason: a group that is tried goes to where it is refused now.
func TestLaterForAnotherReason(t *testing.T) {
	r := newLaterRig(t, eventsOf("ann", 3)...)
	r.refuses("ann", "bad_timestamp")
	r.round()
	r.refuses("ann", "foreign_machine")
	r.now = r.now.Add(laterBase)
	r.round()
	want := map[buffer.Group]int{{Code: "bad_timestamp", MachineID: "ann"}: 2, {Code: "foreign_machine", MachineID: "ann"}: 1}
	for g, n := range want {
		if got := r.buf.Later()[g].Events; got != n {
			t.Errorf("%v: %d, want %d", g, got, n)
		}
	}
}

// TestLaterIsTriedAtOnce: when a person asks for it, and at another server.
func TestLaterIsTriedAtOnce(t *testing.T) {
	r := newLaterRig(t, eventsOf("ann", 3)...)
	r.refuses("ann", "foreign_machine")
	r.round()
	r.srv.reject = nil
	if r.round(); r.later() != 3 {
		t.Fatal("tried before its time")
	}
	r.up.TryLater(func(g buffer.Group) bool { return g.Code == "foreign_machine" })
	if r.round(); r.later() != 0 || len(r.srv.stored) != 3 {
		t.Errorf("%d later, %d stored", r.later(), len(r.srv.stored))
	}
	r.add(eventsOf("ann", 4)...)
	r.refuses("ann", "foreign_machine")
	r.round()
	other := newServer(t)
	r.up.target = func() (outbound.Target, bool) { return outbound.Target{URL: other.URL, Credential: secret}, true }
	if r.round(); r.later() != 0 || len(other.stored) != 4 {
		t.Errorf("%d later, %d stored at the other server", r.later(), len(other.stored))
	}
}

// TestLaterSpoilsNoRequest: an event that makes a request fail, and waits for later,
// holds up nobody else.
func TestLaterSpoilsNoRequest(t *testing.T) {
	r := newLaterRig(t, append(eventsOf("ann", 2), eventsOf("bob", 2)...)...)
	r.srv.reject = func(string) string { return "foreign_machine" }
	r.round()
	r.srv.reject = nil
	bad := refuse(400)
	r.srv.before = func(w http.ResponseWriter, events []string) bool {
		return slices.ContainsFunc(events, func(e string) bool { return strings.Contains(e, "ann") }) && bad(w, events)
	}
	r.now = r.now.Add(laterBase)
	for range 5 {
		r.round()
		r.now = r.now.Add(time.Second)
	}
	if got := r.buf.Later(); len(got) != 1 || got[buffer.Group{Code: "foreign_machine", MachineID: "ann"}].Events != 2 || r.buf.Status().DeadKept != 0 {
		t.Errorf("%v wait, stored %v", got, r.srv.stored)
	}
}

// TestDroppedLaterIsNotTold: status follows a person who drops what waits.
func TestDroppedLaterIsNotTold(t *testing.T) {
	r := newLaterRig(t, eventsOf("ann", 3)...)
	r.refuses("ann", "foreign_machine")
	r.round()
	if n, err := r.buf.DropLater(func(buffer.Group) bool { return true }); n != 3 || err != nil {
		t.Fatalf("dropped %d, %v", n, err)
	}
	if s := r.up.Status(); len(s.Later) != 0 {
		t.Errorf("status tells of %+v", s.Later)
	}
}

// TestLaterHoldsUpNothingNew: a server that fails over an event which waits for later
// gets the new ones all the same, and before it.
func TestLaterHoldsUpNothingNew(t *testing.T) {
	r := newLaterRig(t, eventsOf("ann", 2)...)
	r.refuses("ann", "foreign_machine")
	r.round()
	r.srv.reject = nil
	fails := refuse(500)
	r.srv.before = func(w http.ResponseWriter, events []string) bool {
		return slices.ContainsFunc(events, func(e string) bool { return strings.Contains(e, "ann") }) && fails(w, events)
	}
	for range 3 {
		r.now = r.now.Add(laterBase)
		r.round() // the try fails
		r.add(eventsOf("bob", 2)...)
		r.now = r.now.Add(laterBase)
		r.round()
		if got := r.waiting(); len(got) != 0 || r.later() != 2 {
			t.Fatalf("%q wait behind what is tried again, %d later", got, r.later())
		}
	}
	r.srv.before = nil
	r.now = r.now.Add(laterBase)
	if r.round(); r.later() != 0 || len(r.srv.stored) != 4 {
		t.Errorf("%d later, stored %v", r.later(), r.srv.stored)
	}
}

// TestFullDiskTakesWhatTheServerHas: where no refused event can be kept, those that the
// server has leave the buffer all the same, and make room.
func TestFullDiskTakesWhatTheServerHas(t *testing.T) {
	r := newLaterRig(t, append(eventsOf("ann", 1), eventsOf("bob", 3)...)...)
	r.refuses("ann", "foreign_machine")
	r.up.queue = fullQueue{r.buf}
	p := r.round()
	if got := r.waiting(); len(got) != 1 || p.state != StateBackoff || r.up.Status().LastError == "" {
		t.Errorf("%q wait, %+v, error %q", got, p, r.up.Status().LastError)
	}
}

// fullQueue is on a disk where things are removed, and nothing is added.
type fullQueue struct{ *buffer.Buffer }

func (q fullQueue) Settle(done []buffer.Place, refused []buffer.Refusal) error {
	if len(refused) > 0 {
		return syscall.ENOSPC
	}
	return q.Buffer.Settle(done, nil)
}
