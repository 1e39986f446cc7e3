package session_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"activity-tracker.example/server/internal/password"
	"activity-tracker.example/server/internal/secret"
	"activity-tracker.example/server/internal/session"
	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/storetest"
	"activity-tracker.example/server/internal/store/users"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

const right = "correct horse battery"

// bench is logins over real users.
type bench struct {
	*session.Logins
	t     *testing.T
	users *users.Users
}

func newBench(t *testing.T, cost password.Params) *bench {
	t.Helper()
	s := storetest.Prepared(t, storetest.NewDatabase(t), storetest.Options{})
	return &bench{session.New(s.Users, password.NewHasher(cost), time.Now), t, s.Users}
}

// user makes a user with the right password, by an invitation.
func (b *bench) user(login string) users.User {
	b.t.Helper()
	inv := secret.New(secret.KindInvitation)
	_, err := b.users.Invite(b.t.Context(), login, users.Access{Role: directory.RoleViewer},
		users.Invitation{ID: inv.ID, Hash: inv.Hash(), ExpiresAt: time.Now().Add(time.Hour)})
	if err != nil {
		b.t.Fatal(err)
	}
	u, err := b.Accept(b.t.Context(), inv, right)
	if err != nil {
		b.t.Fatal(err)
	}
	return u
}

func (b *bench) try(login, pw string, from netip.Addr) error {
	_, _, err := b.Begin(b.t.Context(), session.Proof{Login: login, Password: pw}, session.From{Address: from}, "")
	return err
}

func site(n int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)})
}

func cheap() password.Params { return password.Params{Memory: 64, Time: 1, Threads: 1} }

// The time of an answer does not show whether there is such a user: a password of
// nobody's costs what one of somebody's does.
func TestTimeOfUnknownUsers(t *testing.T) {
	b := newBench(t, password.Params{Memory: 16 << 10, Time: 2, Threads: 1})
	const users = 5 // so many failures of one would be delayed
	for i := range users {
		b.user(fmt.Sprint("anna", i))
	}
	least := map[string]time.Duration{"anna": time.Hour, "nobody": time.Hour}
	ratio := 0.0
	// The least of many is without what else the machine does: more of them where it does
	// much.
	for i := 0; i < 15 || i < 20*users && (ratio < 0.7 || ratio > 1.4); i++ {
		for login := range least {
			begin := time.Now()
			if err := b.try(fmt.Sprint(login, i%users), "wrong", site(i)); !errors.Is(err, session.ErrWrong) {
				t.Fatal(err)
			}
			least[login] = min(least[login], time.Since(begin))
		}
		ratio = float64(least["anna"]) / float64(least["nobody"])
	}
	if ratio < 0.7 || ratio > 1.4 {
		t.Errorf("%v for a user, %v for nobody", least["anna"], least["nobody"])
	}
}

// Of 1,000 logins at once each is right, or asked to come back; the memory is that of
// two hashes and of a few that are not collected yet, also where a server has Go collect
// seldom.
func TestThousandLoginsAtOnce(t *testing.T) {
	each := uint64(password.Usual().Memory) << 10
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	b := newBench(t, password.Usual())
	for i := range 20 {
		b.user(fmt.Sprint("user", i))
	}
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	var most, in, busy atomic.Uint64
	var all, watching sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	watching.Go(func() {
		for ctx.Err() == nil {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most.Store(max(most.Load(), m.HeapInuse))
			runtime.Gosched()
		}
	})
	for i := range 1000 {
		all.Go(func() {
			// Each user from 50 addresses.
			waiting, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			_, _, err := b.Begin(waiting, session.Proof{Login: fmt.Sprint("user", i%20), Password: right}, session.From{Address: site(i)}, "")
			var wait session.WaitError
			switch {
			case err == nil:
				in.Add(1)
			case errors.Is(err, session.ErrBusy), errors.As(err, &wait), errors.Is(err, db.ErrUnavailable):
				busy.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	all.Wait()
	stop()
	watching.Wait()
	t.Logf("in %d, later %d, heap %d MiB, before %d MiB", in.Load(), busy.Load(), most.Load()>>20, before.HeapInuse>>20)
	if in.Load() == 0 || in.Load()+busy.Load() != 1000 {
		t.Errorf("%d of 1,000 got in, %d are to come back", in.Load(), busy.Load())
	}
	if grown := most.Load() - before.HeapInuse; grown > 9*each {
		t.Errorf("the heap grew by %d MiB", grown>>20)
	}
}

// One address that floods has few logins under way; others get their turns.
func TestFloodOfOneAddress(t *testing.T) {
	b := newBench(t, password.Params{Memory: 16 << 10, Time: 2, Threads: 1})
	b.user("anna")
	ctx, stop := context.WithCancel(t.Context())
	var flood sync.WaitGroup
	defer flood.Wait()
	defer stop()
	for i := range 500 {
		flood.Go(func() {
			_, _, _ = b.Begin(ctx, session.Proof{Login: fmt.Sprint("x", i), Password: "wrong"}, session.From{Address: site(1)}, "")
		})
	}
	begin := time.Now()
	if err := b.try("anna", right, site(2)); err != nil {
		t.Error(err)
	}
	t.Log(time.Since(begin))
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
}

// A hash that has become weak is replaced at the next login, by the password as it is.
func TestRehash(t *testing.T) {
	s := storetest.Prepared(t, storetest.NewDatabase(t), storetest.Options{})
	old := &bench{session.New(s.Users, password.NewHasher(cheap()), time.Now), t, s.Users}
	old.user("anna")
	before, err := s.Users.Known(t.Context(), "anna")
	if err != nil {
		t.Fatal(err)
	}
	now := &bench{session.New(s.Users, password.NewHasher(password.Params{Memory: 128, Time: 1, Threads: 1}), time.Now), t, s.Users}
	if err := now.try("anna", "wrong", site(1)); !errors.Is(err, session.ErrWrong) {
		t.Error(err)
	}
	for range 2 {
		if err := now.try("anna", right, site(1)); err != nil {
			t.Fatal(err)
		}
	}
	after, err := s.Users.Known(t.Context(), "anna")
	if err != nil || after.Hash == before.Hash || !strings.Contains(after.Hash, "m=128,") {
		t.Errorf("%s became %s, %v", before.Hash, after.Hash, err)
	}
}

// What a browser calls itself is kept for people to read, and as nothing else.
func TestAgents(t *testing.T) {
	b := newBench(t, cheap())
	u := b.user("anna")
	for agent, want := range map[string]string{
		"Mozilla/5.0 (X11; Linux)": "Mozilla/5.0 (X11; Linux)", "\x1b[2J": "", "a\nb": "", "a\u202eb": "", "\xff": "", "": "",
		strings.Repeat("ä", 200): strings.Repeat("ä", 100),
	} {
		_, c, err := b.Begin(t.Context(), session.Proof{Login: "anna", Password: right}, session.From{Address: site(1), Agent: agent}, "")
		if err != nil {
			t.Fatal(err)
		}
		list, err := b.users.LoginSessions(t.Context(), u.ID)
		i := slices.IndexFunc(list, func(s users.LoginSession) bool { return s.ID == c.ID })
		if err != nil || i < 0 || list[i].Agent != want || list[i].Address != "10.0.0.1" {
			t.Errorf("%q: %+v %v", agent, list, err)
		}
	}
}
