package users_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/storetest"
	"activity-tracker.example/server/internal/store/users"
)

func always([]byte) bool { return true }

// bench is the users of a database, and a way to change it otherwise.
type bench struct {
	*users.Users
	t    *testing.T
	dir  *directory.Directory
	conn *pgx.Conn
}

func newBench(t *testing.T) *bench {
	t.Helper()
	url := storetest.NewDatabase(t)
	s := storetest.Prepared(t, url, storetest.Options{})
	return &bench{s.Users, t, s.Directory, storetest.Connect(t, url)}
}

func (b *bench) exec(sql string, args ...any) {
	b.t.Helper()
	if _, err := b.conn.Exec(b.t.Context(), sql, args...); err != nil {
		b.t.Fatal(err)
	}
}

func viewer() users.Access { return users.Access{Role: directory.RoleViewer} }

func invitation(id string) users.Invitation {
	return users.Invitation{ID: id, Hash: []byte("hash"), ExpiresAt: time.Now().Add(time.Hour)}
}

// invite makes a user with an invitation that is called as they are.
func (b *bench) invite(login string, a users.Access) users.User {
	b.t.Helper()
	u, err := b.Invite(b.t.Context(), login, a, invitation("inv_"+login))
	if err != nil {
		b.t.Fatal(err)
	}
	return u
}

// user makes one with a password whose hash is "first".
func (b *bench) user(login string, a users.Access) users.User {
	b.t.Helper()
	b.invite(login, a)
	u, err := b.Accept(b.t.Context(), "inv_"+login, always, "first")
	if err != nil {
		b.t.Fatal(err)
	}
	return u
}

func (b *bench) known(login string) users.Known {
	b.t.Helper()
	k, err := b.Known(b.t.Context(), login)
	if err != nil {
		b.t.Fatal(err)
	}
	return k
}

func (b *bench) begin(login, session string) {
	b.t.Helper()
	if _, err := b.Begin(b.t.Context(), b.known(login), users.Fresh{ID: session, Hash: []byte(session)}); err != nil {
		b.t.Fatal(err)
	}
}

// lasts reports whether a login stands for anybody.
func (b *bench) lasts(session string) bool {
	b.t.Helper()
	_, err := b.Caller(b.t.Context(), session)
	if err != nil && !errors.Is(err, db.ErrNotFound) {
		b.t.Fatal(err)
	}
	return err == nil
}

func TestInvite(t *testing.T) {
	b := newBench(t)
	if _, _, err := b.dir.AddGroup(t.Context(), "Reception"); err != nil {
		t.Fatal(err)
	}
	made := b.invite("anna", users.Access{Role: directory.RoleManager, Limited: true, Groups: []string{"Reception", "Reception"}})
	if !made.Invited || made.Password || made.Disabled || made.LastLoginAt != nil || !slices.Equal(made.Groups, []string{"Reception"}) {
		t.Errorf("%+v", made)
	}
	if _, err := b.Invite(t.Context(), "anna", viewer(), invitation("inv_x")); !errors.Is(err, users.ErrExists) {
		t.Error(err)
	}
	_, err := b.Invite(t.Context(), "berta", users.Access{Role: directory.RoleViewer, Limited: true, Groups: []string{"Nowhere"}}, invitation("inv_y"))
	if !errors.Is(err, directory.ErrNoGroup) {
		t.Error(err)
	}
	for _, access := range []users.Access{{Role: directory.RoleAdmin, Limited: true}, {Role: "self"}} {
		if _, err := b.Invite(t.Context(), "carla", access, invitation("inv_z")); err == nil {
			t.Errorf("%+v was kept", access)
		}
	}
	all, err := b.All(t.Context())
	if err != nil || len(all) != 1 || all[0].ID != made.ID {
		t.Errorf("%+v %v", all, err)
	}
	if _, err := b.ByLogin(t.Context(), "berta"); !errors.Is(err, users.ErrNone) {
		t.Error(err)
	}
}

// An invitation works once, also for many at once; not after its time, not after a
// newer one, not with another secret, and not for somebody who was disabled.
func TestInvitationWorksOnce(t *testing.T) {
	b := newBench(t)
	anna := b.invite("anna", viewer())
	if _, err := b.Accept(t.Context(), "inv_anna", func([]byte) bool { return false }, "x"); !errors.Is(err, users.ErrInvitation) {
		t.Error(err)
	}
	var won atomic.Int32
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			_, err := b.Accept(t.Context(), "inv_anna", always, fmt.Sprint(i))
			switch {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, users.ErrInvitation):
				t.Error(err)
			}
		})
	}
	all.Wait()
	if won.Load() != 1 {
		t.Errorf("it worked %d times", won.Load())
	}
	refused := func(why, id string) {
		t.Helper()
		if _, err := b.Accept(t.Context(), id, always, "x"); !errors.Is(err, users.ErrInvitation) {
			t.Errorf("%s: %v", why, err)
		}
	}
	again := func(id string) {
		t.Helper()
		if _, err := b.InviteAgain(t.Context(), anna.ID, invitation(id)); err != nil {
			t.Fatal(err)
		}
	}
	again("inv_1")
	again("inv_2")
	refused("a newer one is there", "inv_1")
	b.exec("UPDATE invitation SET expires_at = now()")
	refused("it has expired", "inv_2")
	again("inv_3")
	if _, err := b.SetDisabled(t.Context(), anna.ID, true); err != nil {
		t.Fatal(err)
	}
	refused("its user is disabled", "inv_3")
	if _, err := b.InviteAgain(t.Context(), anna.ID, invitation("inv_4")); !errors.Is(err, users.ErrDisabled) {
		t.Error(err)
	}
	if _, err := b.InviteAgain(t.Context(), "usr_none", invitation("inv_5")); !errors.Is(err, users.ErrNone) {
		t.Error(err)
	}
	if _, err := b.SetDisabled(t.Context(), anna.ID, false); err != nil {
		t.Fatal(err)
	}
	refused("enabling brings no invitation back", "inv_3")
}

// All logins end with the password and with being disabled, and one alone ends alone.
func TestWhatEndsLogins(t *testing.T) {
	b := newBench(t)
	anna, berta := b.user("anna", viewer()), b.user("berta", viewer())
	end := map[string]func() error{
		"password": func() error { return b.ChangePassword(t.Context(), b.known("anna"), "second") },
		"invitation": func() error {
			if _, err := b.InviteAgain(t.Context(), anna.ID, invitation("inv_again")); err != nil {
				return err
			}
			if !b.lasts("ses_a") {
				t.Error("an invitation alone ends logins")
			}
			_, err := b.Accept(t.Context(), "inv_again", always, "third")
			return err
		},
		"all": func() error { _, err := b.EndAll(t.Context(), anna.ID); return err },
		"disabled": func() error {
			_, err := b.SetDisabled(t.Context(), anna.ID, true)
			if b.lasts("ses_a") {
				t.Error("it lasts while disabled")
			}
			if _, err := b.Begin(t.Context(), b.known("anna"), users.Fresh{ID: "ses_d", Hash: []byte("d")}); !errors.Is(err, users.ErrChanged) {
				t.Error("a disabled user logs in:", err)
			}
			if _, err := b.SetDisabled(t.Context(), anna.ID, false); err != nil {
				t.Error(err)
			}
			return err
		},
		"idle": func() error {
			b.exec("UPDATE login_session SET last_seen_at = now() - $1::interval WHERE usr = $2", users.LoginIdle, anna.ID)
			return nil
		},
		"old": func() error {
			b.exec("UPDATE login_session SET created_at = now() - $1::interval WHERE usr = $2", users.LoginEnd, anna.ID)
			return nil
		},
	}
	b.begin("berta", "ses_b")
	for how, do := range end {
		b.begin("anna", "ses_a")
		b.begin("anna", "ses_c")
		if !b.lasts("ses_a") || !b.lasts("ses_c") {
			t.Fatalf("%s: they did not begin", how)
		}
		if err := do(); err != nil {
			t.Fatalf("%s: %v", how, err)
		}
		if b.lasts("ses_a") || b.lasts("ses_c") {
			t.Errorf("%s ends no login", how)
		}
		if list, err := b.LoginSessions(t.Context(), anna.ID); err != nil || len(list) > 0 {
			t.Errorf("%s: %v %v", how, list, err)
		}
		b.exec("DELETE FROM login_session WHERE usr = $1", anna.ID)
	}
	if !b.lasts("ses_b") {
		t.Error("another's login ended with them")
	}
	b.begin("anna", "ses_a")
	b.begin("anna", "ses_c")
	if err := b.End(t.Context(), berta.ID, "ses_a"); !errors.Is(err, db.ErrNotFound) {
		t.Error("another's login was ended:", err)
	}
	if err := b.End(t.Context(), anna.ID, "ses_a"); err != nil || b.lasts("ses_a") || !b.lasts("ses_c") {
		t.Error("one was to end:", err)
	}
}

// A little before its end a login lasts, and is noted as used at most once a minute.
func TestLoginLasts(t *testing.T) {
	b := newBench(t)
	b.user("anna", viewer())
	b.begin("anna", "ses_a")
	b.exec("UPDATE login_session SET last_seen_at = now() - $1::interval, created_at = now() - $2::interval",
		users.LoginIdle-time.Minute, users.LoginEnd-time.Minute)
	c, err := b.Caller(t.Context(), "ses_a")
	if err != nil || c.Seen {
		t.Fatal(c, err)
	}
	for range 2 {
		if err := b.See(t.Context(), "ses_a"); err != nil {
			t.Fatal(err)
		}
	}
	if c, err = b.Caller(t.Context(), "ses_a"); err != nil || !c.Seen {
		t.Error(c, err)
	}
}

// A login that was checked against what has changed since does not begin.
func TestLoginThatRaces(t *testing.T) {
	b := newBench(t)
	b.user("anna", viewer())
	before := b.known("anna")
	if err := b.ChangePassword(t.Context(), before, "second"); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Begin(t.Context(), before, users.Fresh{ID: "ses_a", Hash: []byte("a")}); !errors.Is(err, users.ErrChanged) {
		t.Error(err)
	}
	if err := b.ChangePassword(t.Context(), before, "third"); !errors.Is(err, users.ErrChanged) {
		t.Error(err)
	}
	u, err := b.Begin(t.Context(), b.known("anna"), users.Fresh{ID: "ses_b", Hash: []byte("b"), Rehashed: "stronger"})
	if err != nil || u.LastLoginAt == nil || b.known("anna").Hash != "stronger" || !b.lasts("ses_b") {
		t.Errorf("%+v %v", u, err)
	}
	if _, err := b.Known(t.Context(), "nobody"); !errors.Is(err, users.ErrNone) {
		t.Error(err)
	}
}

// A user has a bounded number of logins; one may take the place of another.
func TestLoginsAreBounded(t *testing.T) {
	b := newBench(t)
	anna := b.user("anna", viewer())
	for i := range users.MaxLogins + 5 {
		b.begin("anna", fmt.Sprint("ses_", i))
	}
	list, err := b.LoginSessions(t.Context(), anna.ID)
	if err != nil || len(list) != users.MaxLogins || list[0].ID != fmt.Sprint("ses_", users.MaxLogins+4) {
		t.Fatal(len(list), err)
	}
	last := list[0].ID
	if _, err := b.Begin(t.Context(), b.known("anna"), users.Fresh{ID: "ses_new", Hash: []byte("n"), Replaces: last}); err != nil {
		t.Fatal(err)
	}
	if b.lasts(last) || !b.lasts("ses_new") {
		t.Error("it did not take the other's place")
	}
}

// A caller's scope follows role and groups as they are at the moment.
func TestCallersScope(t *testing.T) {
	b := newBench(t)
	if _, _, err := b.dir.AddGroup(t.Context(), "Reception"); err != nil {
		t.Fatal(err)
	}
	anna := b.user("anna", viewer())
	b.begin("anna", "ses_a")
	for _, test := range []struct {
		access  users.Access
		limited bool
		groups  int
	}{
		{viewer(), false, 0},
		{users.Access{Role: directory.RoleManager, Limited: true, Groups: []string{"Reception"}}, true, 1},
		{users.Access{Role: directory.RoleViewer, Limited: true}, true, 0},
		{users.Access{Role: directory.RoleAuditor}, true, 0},
		{users.Access{Role: directory.RoleAdmin}, false, 0},
	} {
		if _, err := b.SetAccess(t.Context(), anna.ID, test.access, nil); err != nil {
			t.Fatal(err)
		}
		c, err := b.Caller(t.Context(), "ses_a")
		if err != nil || c.Role != test.access.Role || c.Scope.Limited() != test.limited || len(c.Scope.Groups) != test.groups {
			t.Errorf("%+v: %+v %v", test.access, c, err)
		}
	}
	// A group that is removed leaves a limited user without machines, not without limit.
	if _, err := b.SetAccess(t.Context(), anna.ID, users.Access{Role: directory.RoleViewer, Limited: true, Groups: []string{"Reception"}}, nil); err != nil {
		t.Fatal(err)
	}
	if err := b.dir.RemoveGroup(t.Context(), "Reception"); err != nil {
		t.Fatal(err)
	}
	if c, err := b.Caller(t.Context(), "ses_a"); err != nil || !c.Scope.Limited() || len(c.Scope.Groups) > 0 {
		t.Errorf("%+v %v", c, err)
	}
}

func TestUsersAreLimited(t *testing.T) {
	b := newBench(t)
	b.exec("INSERT INTO app_user (id, login, role) SELECT 'usr_' || n, 'u' || n, 'viewer' FROM generate_series(1, $1::int) n", users.MaxUsers)
	if _, err := b.Invite(t.Context(), "more", viewer(), invitation("inv_more")); !errors.Is(err, users.ErrTooMany) {
		t.Error(err)
	}
}

// secondStep sets up a second step with that secret and recovery codes.
func (b *bench) secondStep(login, secret string, recovery ...string) {
	b.t.Helper()
	var hashes [][]byte
	for _, code := range recovery {
		hashes = append(hashes, []byte(code))
	}
	k := b.known(login)
	if err := b.BeginSecondStep(b.t.Context(), k, users.Spent{}, []byte(secret)); err != nil {
		b.t.Fatal(err)
	}
	if err := b.ConfirmSecondStep(b.t.Context(), k.ID, "", []byte(secret), 100, hashes); err != nil {
		b.t.Fatal(err)
	}
}

// Of many logins at once by one code, one begins; later none, nor one without a code.
func TestCodeWorksOnce(t *testing.T) {
	b := newBench(t)
	b.user("anna", viewer())
	before := b.known("anna")
	b.secondStep("anna", "secret", "r1", "r2")
	if _, err := b.Begin(t.Context(), before, users.Fresh{ID: "ses_before", Hash: []byte("x")}); !errors.Is(err, users.ErrChanged) {
		t.Error("a login that was checked before there was a second step begins:", err)
	}
	k := b.known("anna")
	begin := func(id string, spent users.Spent) error {
		_, err := b.Begin(t.Context(), k, users.Fresh{ID: id, Hash: []byte("x"), Spent: spent})
		if err != nil && !errors.Is(err, users.ErrChanged) {
			t.Error(err)
		}
		return err
	}
	for i, spent := range []users.Spent{{Step: 101}, {Recovery: []byte("r1")}} {
		var won atomic.Int32
		var all sync.WaitGroup
		for n := range 20 {
			all.Go(func() {
				if begin(fmt.Sprint("ses_", i, "_", n), spent) == nil {
					won.Add(1)
				}
			})
		}
		all.Wait()
		if won.Load() != 1 {
			t.Errorf("%+v worked %d times", spent, won.Load())
		}
	}
	for why, spent := range map[string]users.Spent{
		"the code that confirmed it": {Step: 100}, "none": {}, "an unknown recovery code": {Recovery: []byte("r3")}, "an empty one": {Recovery: []byte{}},
	} {
		if begin("ses_x", spent) == nil {
			t.Errorf("%s lets in", why)
		}
	}
	if begin("ses_r2", users.Spent{Recovery: []byte("r2")}) != nil {
		t.Error("another recovery code does not work")
	}
}

// Another second step takes the place of the first when it is confirmed, for who has a
// code of that; all else stays until then. An administrator takes it away.
func TestSecondStepIsReplaced(t *testing.T) {
	b := newBench(t)
	anna := b.user("anna", viewer())
	b.secondStep("anna", "first", "r1")
	k := b.known("anna")
	if err := b.BeginSecondStep(t.Context(), k, users.Spent{}, []byte("second")); !errors.Is(err, users.ErrChanged) {
		t.Error("no code was needed:", err)
	}
	if _, err := b.PendingSecondStep(t.Context(), anna.ID); !errors.Is(err, users.ErrNoneBegun) {
		t.Error(err)
	}
	for _, id := range []string{"ses_a", "ses_b"} {
		if _, err := b.Begin(t.Context(), k, users.Fresh{ID: id, Hash: []byte("x"), Spent: users.Spent{Step: map[string]int64{"ses_a": 101, "ses_b": 102}[id]}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.BeginSecondStep(t.Context(), k, users.Spent{Step: 103}, []byte("second")); err != nil {
		t.Fatal(err)
	}
	if got := b.known("anna"); string(got.Secret) != "first" || !b.lasts("ses_b") {
		t.Errorf("it is in force before it is confirmed: %+v", got)
	}
	if err := b.ConfirmSecondStep(t.Context(), anna.ID, "ses_a", []byte("other"), 104, nil); !errors.Is(err, users.ErrNoneBegun) {
		t.Error(err)
	}
	if err := b.ConfirmSecondStep(t.Context(), anna.ID, "ses_a", []byte("second"), 104, [][]byte{[]byte("r9")}); err != nil {
		t.Fatal(err)
	}
	if got := b.known("anna"); string(got.Secret) != "second" || !b.lasts("ses_a") || b.lasts("ses_b") {
		t.Errorf("%+v", got)
	}
	if _, err := b.Begin(t.Context(), b.known("anna"), users.Fresh{ID: "ses_c", Hash: []byte("x"), Spent: users.Spent{Recovery: []byte("r1")}}); !errors.Is(err, users.ErrChanged) {
		t.Error("a recovery code from before works:", err)
	}
	u, err := b.ForgetSecondStep(t.Context(), anna.ID)
	if err != nil || u.SecondStep || b.lasts("ses_a") {
		t.Errorf("%+v %v", u, err)
	}
	b.begin("anna", "ses_d")
}
