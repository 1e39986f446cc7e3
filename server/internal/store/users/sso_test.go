package users_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/users"
)

// sso logs somebody in by single sign-on.
func (b *bench) sso(subject, login, session string, granted *users.Access) (users.User, bool) {
	b.t.Helper()
	u, admitted, err := b.BeginSSO(b.t.Context(), users.Identity{Issuer: "https://id.example", Subject: subject, Login: login}, granted,
		users.Fresh{ID: session, Hash: []byte(session), LogoutHint: []byte("hint")})
	if err != nil {
		b.t.Fatal(err)
	}
	return u, admitted
}

// An attempt is taken once, in time, by who knows its secret.
func TestAttempts(t *testing.T) {
	b := newBench(t)
	keep := func(id string) {
		t.Helper()
		if err := b.KeepAttempt(t.Context(), users.Attempt{ID: id, Hash: []byte("h"), Next: "/" + id}); err != nil {
			t.Fatal(err)
		}
	}
	keep("one")
	keep("two")
	if _, err := b.TakeAttempt(t.Context(), "one", func([]byte) bool { return false }); !errors.Is(err, users.ErrAttempt) {
		t.Error(err)
	}
	if next, err := b.TakeAttempt(t.Context(), "one", always); err != nil || next != "/one" {
		t.Error(next, err)
	}
	if _, err := b.TakeAttempt(t.Context(), "one", always); !errors.Is(err, users.ErrAttempt) {
		t.Error("it is taken twice:", err)
	}
	b.exec("UPDATE sso_attempt SET expires_at = now()")
	if _, err := b.TakeAttempt(t.Context(), "two", always); !errors.Is(err, users.ErrAttempt) {
		t.Error("it is taken late:", err)
	}
	// There are so many at once, and the oldest goes for one more.
	b.exec("INSERT INTO sso_attempt SELECT 'x' || n, 'h', '/', now() + n * interval '10 ms' + interval '1 minute' FROM generate_series(1, 30000) n")
	keep("new")
	var n int
	if err := b.conn.QueryRow(t.Context(), "SELECT count(*) FROM sso_attempt").Scan(&n); err != nil || n != 20_000 {
		t.Error(n, err)
	}
	if _, err := b.TakeAttempt(t.Context(), "new", always); err != nil {
		t.Error(err)
	}
}

// The same subject of another provider is somebody else.
func TestIdentities(t *testing.T) {
	b := newBench(t)
	one, _ := b.sso("1", "anna", "ses_1", &users.Access{Role: directory.RoleAdmin})
	two, admitted, err := b.BeginSSO(t.Context(), users.Identity{Issuer: "https://other.example", Subject: "1", Login: "anna"},
		&users.Access{Role: directory.RoleViewer}, users.Fresh{ID: "ses_2", Hash: []byte("x")})
	if err != nil || !admitted || two.ID == one.ID || two.Login == one.Login || one.Role != directory.RoleAdmin {
		t.Errorf("%+v %+v %v", one, two, err)
	}
	// Both names are taken: nobody is made, and nobody is mistaken for another.
	b.exec("DELETE FROM sso_user WHERE subject = '1' AND issuer = 'https://other.example'")
	_, _, err = b.BeginSSO(t.Context(), users.Identity{Issuer: "https://other.example", Subject: "1", Login: "anna"},
		&users.Access{Role: directory.RoleViewer}, users.Fresh{ID: "ses_3", Hash: []byte("x")})
	if !errors.Is(err, users.ErrExists) || b.lasts("ses_3") {
		t.Error(err)
	}
}

// A login by single sign-on ends sooner than one by password, and others end as well:
// the oldest of too many, and all when the role goes.
func TestSSOLoginsEnd(t *testing.T) {
	b := newBench(t)
	viewing := &users.Access{Role: directory.RoleViewer}
	u, _ := b.sso("1", "anna", "ses_a", viewing)
	b.user("berta", viewer())
	b.begin("berta", "ses_b")
	b.exec("UPDATE login_session SET created_at = now() - $1::interval", users.SSOEnd-time.Minute)
	if !b.lasts("ses_a") || !b.lasts("ses_b") {
		t.Error("one has ended too soon")
	}
	b.exec("UPDATE login_session SET created_at = now() - $1::interval", users.SSOEnd)
	if b.lasts("ses_a") || !b.lasts("ses_b") {
		t.Error("the wrong one has ended")
	}
	for i := range users.MaxLogins + 3 {
		b.sso("1", "anna", fmt.Sprint("ses_", i), viewing)
	}
	if list, err := b.LoginSessions(t.Context(), u.ID); err != nil || len(list) != users.MaxLogins {
		t.Error(len(list), err)
	}
	if _, admitted := b.sso("1", "anna", "ses_z", nil); admitted || b.lasts("ses_z") || b.lasts(fmt.Sprint("ses_", users.MaxLogins)) || !b.lasts("ses_b") {
		t.Error("a login lasts without a role, or another's has ended")
	}
	if _, admitted := b.sso("2", "carla", "ses_c", nil); admitted || b.lasts("ses_c") {
		t.Error("somebody without a role is logged in")
	}
	if _, err := b.ByLogin(t.Context(), "carla"); !errors.Is(err, users.ErrNone) {
		t.Error(err)
	}
}

// Groups that are not there are left out, and then less is seen, never more.
func TestSSOGroups(t *testing.T) {
	b := newBench(t)
	for _, name := range []string{"Reception", "Night"} {
		if _, _, err := b.dir.AddGroup(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	u, _ := b.sso("1", "anna", "ses_1", &users.Access{Role: directory.RoleManager, Limited: true, Groups: []string{"Night", "Nowhere", "Reception", "Night"}})
	if !u.Limited || !slices.Equal(u.Groups, []string{"Night", "Reception"}) {
		t.Errorf("%+v", u)
	}
	u, _ = b.sso("1", "anna", "ses_2", &users.Access{Role: directory.RoleManager, Limited: true, Groups: []string{"Nowhere"}})
	if !u.Limited || len(u.Groups) > 0 {
		t.Errorf("%+v", u)
	}
	if c, err := b.Caller(t.Context(), "ses_1"); err != nil || !c.SSO || !c.Scope.Limited() {
		t.Errorf("%+v %v", c, err)
	}
}
