package policies_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/api/policy"
	"activity-tracker.example/server/internal/store/policies"
	"activity-tracker.example/server/internal/store/storetest"
)

// bench is the policies of a database with two hosts, and a way to change it otherwise.
type bench struct {
	*policies.Policies
	t    *testing.T
	conn *pgx.Conn
}

func newBench(t *testing.T) *bench {
	t.Helper()
	url := storetest.NewDatabase(t)
	b := &bench{storetest.Prepared(t, url, storetest.Options{}).Policies, t, storetest.Connect(t, url)}
	b.exec("INSERT INTO host (id, host_id, hostname, enrollment) OVERRIDING SYSTEM VALUE VALUES (1, 'one', 'one', ''), (2, 'two', 'two', '')")
	return b
}

func (b *bench) exec(sql string, args ...any) {
	b.t.Helper()
	if _, err := b.conn.Exec(b.t.Context(), sql, args...); err != nil {
		b.t.Fatal(err)
	}
}

func titles(on bool) policy.Document { return policy.Document{Titles: &on} }

func (b *bench) add(group string, from time.Time) policies.Version {
	b.t.Helper()
	draft := policies.Draft{ValidFrom: from, Policy: titles(false), Author: "test"}
	if group != "" {
		draft.HostGroup = &group
	}
	v, err := b.Add(b.t.Context(), draft, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return v
}

func (b *bench) setGroup(name string, hosts ...string) {
	b.t.Helper()
	if err := b.SetHostGroup(b.t.Context(), policies.HostGroupChange{Name: name, Hosts: hosts}); err != nil {
		b.t.Fatal(err)
	}
}

// holding returns the reply for a host and the versions in it.
func (b *bench) holding(host int64) (policy.Reply, []int64) {
	b.t.Helper()
	r, err := b.ForHost(b.t.Context(), host)
	if err != nil {
		b.t.Fatal(err)
	}
	var versions []int64
	for _, v := range r.Policies {
		versions = append(versions, v.Version)
	}
	return r, versions
}

func (b *bench) wants(host int64, want ...int64) policy.Reply {
	b.t.Helper()
	r, got := b.holding(host)
	if !slices.Equal(got, want) || r.None != (len(want) == 0) {
		b.t.Errorf("host %d has %v (none: %v), want %v", host, got, r.None, want)
	}
	return r
}

func TestForHost(t *testing.T) {
	b := newBench(t)
	if r := b.wants(1); r.Revision != 0 {
		t.Errorf("revision %d of nothing", r.Revision)
	}
	b.setGroup("night", "two")
	b.add("night", time.Time{})
	b.wants(1)
	b.wants(2, 1)
	b.add("", time.Time{})
	later := time.Now().Add(time.Hour)
	b.add("", later)
	b.add("", later.Add(time.Hour))
	b.add("", later) // takes the place of 3
	b.wants(1, 2, 5, 4)
	before := b.wants(2, 2, 5, 4, 1).Revision
	b.add("", time.Time{}) // takes the place of 2
	b.wants(1, 6, 5, 4)
	b.setGroup("night", "one")
	if r := b.wants(1, 6, 5, 4, 1); r.Revision <= before {
		t.Errorf("revision %d after %d", r.Revision, before)
	}
	b.wants(2, 6, 5, 4)
	// The moment comes.
	b.exec("UPDATE policy SET valid_from = now() WHERE version IN (3, 5)")
	b.wants(2, 5, 4)
	if err := b.RemoveHostGroup(t.Context(), "night"); err != nil {
		t.Fatal(err)
	}
	b.setGroup("night", "one") // another one of that name
	b.wants(1, 5, 4)
	if v, err := b.ByVersion(t.Context(), 1); err != nil || v.HostGroup == nil || *v.HostGroup != "night" || v.Holds {
		t.Errorf("of the history: %+v %v", v, err)
	}
	list, newest, err := b.List(t.Context(), 6, 2)
	if err != nil || newest != 6 || len(list) != 2 || list[0].Version.Version != 5 || !list[0].Holds || list[1].Holds {
		t.Errorf("%+v %d %v", list, newest, err)
	}
}

func TestRefusals(t *testing.T) {
	b := newBench(t)
	nowhere := "nowhere"
	add := func(d policies.Draft, newest ...int64) error {
		d.Author = "test"
		_, err := b.Add(t.Context(), d, newest)
		return err
	}
	b.add("", time.Time{})
	before, _ := b.holding(1)
	for name, err := range map[string]error{
		"past":  add(policies.Draft{ValidFrom: time.Now().Add(-time.Minute)}),
		"group": add(policies.Draft{HostGroup: &nowhere}),
		"old":   add(policies.Draft{}, 0, 2),
		"host":  b.SetHostGroup(t.Context(), policies.HostGroupChange{Name: "g", Hosts: []string{"one", "three"}}),
		"gone":  b.RemoveHostGroup(t.Context(), "g"),
	} {
		want := map[string]error{
			"past": policies.ErrPast, "group": policies.ErrNoHostGroup, "old": policies.ErrChanged,
			"host": policies.NoHostError{HostID: "three"}, "gone": policies.ErrNoHostGroup,
		}[name]
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
	}
	if after, _ := b.holding(1); after.Revision != before.Revision {
		t.Error("what is refused raises the revision")
	}
	for i := range policy.MaxLater {
		b.add("", time.Now().Add(time.Duration(i+1)*time.Hour))
	}
	if err := add(policies.Draft{ValidFrom: time.Now().Add(9 * time.Hour)}); !errors.Is(err, policies.ErrTooManyNext) {
		t.Error(err)
	}
	for i := range policy.MaxHostGroups {
		b.setGroup(fmt.Sprint("g", i), "one")
	}
	if err := b.SetHostGroup(t.Context(), policies.HostGroupChange{Name: "more", Hosts: []string{"two", "one"}}); !errors.Is(err, policies.ErrGroupsOfHost) {
		t.Error(err)
	}
}

// Of administrators who have read the same version one writes the next.
func TestOneOfManyWrites(t *testing.T) {
	b := newBench(t)
	var written, changed atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			_, err := b.Add(t.Context(), policies.Draft{Author: "test"}, []int64{0})
			switch {
			case err == nil:
				written.Add(1)
			case errors.Is(err, policies.ErrChanged):
				changed.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	all.Wait()
	if written.Load() != 1 || changed.Load() != 7 {
		t.Errorf("%d written, %d refused", written.Load(), changed.Load())
	}
}

func TestRevisionIsKnown(t *testing.T) {
	b := newBench(t)
	if r := b.Revision(t.Context()); r != 0 {
		t.Errorf("revision %d of nothing", r)
	}
	b.add("", time.Time{})
	first := b.Revision(t.Context())
	b.add("", time.Time{})
	if second := b.Revision(t.Context()); first == 0 || second <= first {
		t.Errorf("revisions %d and %d", first, second)
	}
}
