package policy

import (
	"context"
	"errors"
	"os/user"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"
)

const waitTime = 20 * time.Second

// directory is a directory of users whose answers a test changes.
type directory struct {
	mu     sync.Mutex
	groups map[string]string
	users  map[string][]string
	asked  int
}

var errAway = errors.New("away")

func (d *directory) Group(_ context.Context, name string) (string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked++
	gid, ok := d.groups[name]
	if !ok {
		return "", errAway
	}
	return gid, nil
}

func (d *directory) GroupsOf(_ context.Context, user string) ([]string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked++
	gids, ok := d.users[user]
	if !ok {
		return nil, errAway
	}
	return gids, nil
}

func (d *directory) set(change func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change()
}

// rig is Users over a directory, with a clock.
type rig struct {
	t       *testing.T
	u       *Users
	d       *directory
	changed chan struct{}
	mu      sync.Mutex
	at      time.Time
}

func newRig(t *testing.T, exclude ...string) *rig {
	t.Helper()
	r := &rig{t: t, d: &directory{groups: map[string]string{}, users: map[string][]string{}}, changed: make(chan struct{}, 100), at: time.Unix(1_800_000_000, 0)}
	r.u = NewUsers(r.d, func() { r.changed <- struct{}{} }, r.now)
	r.u.Exclude(exclude)
	return r
}

func (r *rig) now() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.at
}

func (r *rig) pass(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at = r.at.Add(d)
}

// settled asks until all answers are there that are asked for.
func (r *rig) settled(user string, answers int) (Standing, string) {
	r.t.Helper()
	r.u.Standing(user)
	for range answers {
		select {
		case <-r.changed:
		case <-time.After(waitTime):
			r.t.Fatal("no answer")
		}
	}
	return r.u.Standing(user)
}

func TestNamesNeedNoDirectory(t *testing.T) {
	r := newRig(t, "root", "anna")
	for user, want := range map[string]Standing{"anna": Excluded, "Anna": Measured, "boris": Measured} {
		if got, _ := r.u.Standing(user); got != want {
			t.Errorf("%s: %v", user, got)
		}
	}
	if r.d.asked > 0 {
		t.Errorf("%d questions", r.d.asked)
	}
}

// TestGroups: a user is unresolved until the answers are there; what cannot be resolved
// leaves all unmeasured that are not known to be excluded, and a problem says why.
func TestGroups(t *testing.T) {
	r := newRig(t, "@admins", "@board")
	r.d.set(func() {
		r.d.groups["admins"] = "200"
		r.d.users["anna"], r.d.users["boris"] = []string{"1001", "200"}, []string{"1002", "20"}
	})
	if got, _ := r.u.Standing("anna"); got != Unresolved {
		t.Errorf("at first %v", got)
	}
	if got, _ := r.settled("anna", 3); got != Excluded {
		t.Errorf("an admin is %v", got)
	}
	if got, problem := r.settled("boris", 1); got != Unresolved || problem != errAway.Error() {
		t.Errorf("while a group is unknown: %v, %q", got, problem)
	}
	r.d.set(func() { r.d.groups["board"] = "300" })
	r.pass(retryAfter)
	if got, problem := r.settled("boris", 1); got != Measured || problem != "" {
		t.Errorf("%v, %q", got, problem)
	}
	if got, problem := r.settled("vera", 1); got != Unresolved || problem == "" {
		t.Errorf("a user whom nobody knows: %v, %q", got, problem)
	}
}

// TestAnswersAreKept: for ten minutes nobody is asked again, and then an answer that
// does not come is none.
func TestAnswersAreKept(t *testing.T) {
	r := newRig(t, "@admins")
	r.d.set(func() { r.d.groups["admins"], r.d.users["anna"] = "200", []string{"1001"} })
	if got, _ := r.settled("anna", 2); got != Measured {
		t.Fatal(got)
	}
	r.d.set(func() { r.d.groups["admins"] = "1001" })
	r.pass(answerFresh - time.Second)
	if got, _ := r.u.Standing("anna"); got != Measured || r.d.asked != 2 {
		t.Errorf("%v after %d questions", got, r.d.asked)
	}
	r.pass(time.Second)
	if got, _ := r.settled("anna", 2); got != Excluded {
		t.Errorf("a new member is %v", got)
	}
}

// TestGetent asks this machine.
func TestGetent(t *testing.T) {
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	ids, err := me.GroupIds()
	if err != nil {
		t.Fatal(err)
	}
	got, err := Getent{}.GroupsOf(t.Context(), me.Username)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		if !slices.Contains(got, id) {
			t.Errorf("%v lacks group %s", got, id)
		}
	}
	group, err := user.LookupGroupId(me.Gid)
	if err != nil {
		t.Fatal(err)
	}
	if gid, err := (Getent{}).Group(t.Context(), group.Name); err != nil || gid != me.Gid {
		t.Errorf("%q, %v", gid, err)
	}
	if _, err := (Getent{}).Group(t.Context(), "no-such-"+strconv.Itoa(1)); err == nil {
		t.Error("a group that nobody knows has a number")
	}
}
