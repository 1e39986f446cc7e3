package self_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/secret"
	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/people"
	"activity-tracker.example/server/internal/store/self"
	"activity-tracker.example/server/internal/store/storetest"
	"activity-tracker.example/server/internal/store/users"
)

func always([]byte) bool { return true }

func never([]byte) bool { return false }

// desk is a database with the accounts anna-1, anna-2 and boris of a host, each of its own
// person, and the user anna; and a way to change it otherwise.
type desk struct {
	*storetest.Store
	t     *testing.T
	url   string
	host  int64
	user  string
	conn  *pgx.Conn
	links int
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{t: t, url: storetest.NewDatabase(t)}
	d.Store = storetest.Prepared(t, d.url, storetest.Options{})
	d.conn, d.host = storetest.Connect(t, d.url), storetest.AddHost(t, d.Store)
	for _, id := range []string{"anna-1", "anna-2", "boris"} {
		storetest.Accepted(t, d.Store, d.host, []api.Event{{MachineID: id, Timestamp: time.Now().Add(-time.Hour)}}, 1)
	}
	u, err := d.Users.Invite(t.Context(), "anna", users.Access{Role: directory.RoleViewer}, users.Invitation{ID: "inv_1", Hash: []byte("hash"), ExpiresAt: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	d.user = u.ID
	return d
}

func (d *desk) exec(sql string, args ...any) {
	d.t.Helper()
	if _, err := d.conn.Exec(d.t.Context(), sql, args...); err != nil {
		d.t.Fatal(err)
	}
}

// link makes a link, however many there were within the minute, and returns its id.
func (d *desk) link(machineID string) string {
	d.t.Helper()
	d.exec("DELETE FROM self_link WHERE used")
	d.links++
	id := fmt.Sprintf("self_%d", d.links)
	if err := d.Self.Make(d.t.Context(), d.host, machineID, self.Link{ID: id, Hash: []byte(id)}); err != nil {
		d.t.Fatal(err)
	}
	return id
}

// open uses a link up.
func (d *desk) open(link, login string) (self.Account, error) {
	d.t.Helper()
	return d.Self.Open(d.t.Context(), link, always, users.Fresh{ID: login, Hash: []byte(login)})
}

// tie makes a link's account the user's own.
func (d *desk) tie(machineID string) error {
	d.t.Helper()
	_, err := d.Self.TieAccount(d.t.Context(), d.user, d.link(machineID), always)
	return err
}

// person returns whose an account is.
func (d *desk) person(machineID string) people.Person {
	d.t.Helper()
	list, err := d.People.List(d.t.Context(), people.Filter{MachineID: machineID, Limit: 1})
	if err != nil || len(list) != 1 {
		d.t.Fatal(list, err)
	}
	return list[0]
}

// is fails unless the user is a person with these accounts as their own; none: nobody.
func (d *desk) is(person int64, machineIDs ...string) {
	d.t.Helper()
	own, err := d.Self.OfUser(d.t.Context(), d.user)
	if len(machineIDs) == 0 {
		if !errors.Is(err, self.ErrNobody) {
			d.t.Errorf("%+v %v, want nobody", own, err)
		}
		return
	}
	var want []int32
	for _, id := range machineIDs {
		m, err := d.MachineByID(d.t.Context(), directory.Scope{}, id)
		if err != nil {
			d.t.Fatal(err)
		}
		want = append(want, m.Key)
	}
	slices.Sort(want)
	if err != nil || own.Person != person || !slices.Equal(own.Accounts, want) {
		d.t.Errorf("%+v %v, want person %d with %v", own, err, person, want)
	}
}

// lasts reports whether a login stands for anybody.
func (d *desk) lasts(login string) bool {
	d.t.Helper()
	_, err := d.Users.Caller(d.t.Context(), login)
	if err != nil && !errors.Is(err, db.ErrNotFound) {
		d.t.Fatal(err)
	}
	return err == nil
}

// Looking uses nothing up; opening does, once, whoever else tries with it, also on another
// server.
func TestLinkWorksOnce(t *testing.T) {
	d := newDesk(t)
	link := d.link("anna-1")
	for range 3 {
		if a, err := d.Self.Look(t.Context(), link, always); err != nil || a.MachineID != "anna-1" || a.Host != d.host {
			t.Errorf("%+v %v", a, err)
		}
	}
	servers := []*storetest.Store{d.Store, storetest.Prepared(t, d.url, storetest.Options{})}
	var all sync.WaitGroup
	var opened atomic.Int32
	for i := range 16 {
		all.Go(func() {
			login := fmt.Sprintf("ses_%d", i)
			switch _, err := servers[i%2].Self.Open(t.Context(), link, always, users.Fresh{ID: login, Hash: []byte(login)}); {
			case err == nil:
				opened.Add(1)
			case !errors.Is(err, self.ErrLink):
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := opened.Load(); n != 1 {
		t.Errorf("opened %d times", n)
	}
	if n := storetest.Ask[int64](t, d.url, "SELECT count(*) FROM login_session"); n != 1 {
		t.Errorf("%d logins", n)
	}
	if _, err := d.Self.TieAccount(t.Context(), d.user, link, always); !errors.Is(err, self.ErrLink) {
		t.Error(err)
	}
	d.is(0)
}

// A link lasts a minute, and needs its secret; a wrong one uses nothing up.
func TestLinkEnds(t *testing.T) {
	d := newDesk(t)
	link := d.link("anna-1")
	fresh := users.Fresh{ID: "ses_x", Hash: []byte("x")}
	for name, open := range map[string]func() error{
		"wrong secret": func() error { _, err := d.Self.Open(t.Context(), link, never, fresh); return err },
		"wrong look":   func() error { _, err := d.Self.Look(t.Context(), link, never); return err },
		"wrong tie":    func() error { _, err := d.Self.TieAccount(t.Context(), d.user, link, never); return err },
		"unknown":      func() error { _, err := d.open("self_none", "ses_x"); return err },
		"no such user": func() error { _, err := d.Self.TieAccount(t.Context(), "usr_none", link, always); return err },
	} {
		if err := open(); !errors.Is(err, self.ErrLink) && !errors.Is(err, users.ErrNone) {
			t.Errorf("%s: %v", name, err)
		}
	}
	d.exec("UPDATE self_link SET created_at = now() - interval '59 seconds'")
	if _, err := d.open(link, "ses_1"); err != nil {
		t.Error(err)
	}
	late := d.link("anna-1")
	d.exec("UPDATE self_link SET created_at = now() - interval '61 seconds'")
	if _, err := d.open(late, "ses_2"); !errors.Is(err, self.ErrLink) || d.lasts("ses_2") {
		t.Error(err)
	}
}

// An account is given five links in a minute, from two servers as well, used or not;
// others' count for themselves; and making some deletes those that are over.
func TestLinksAreBounded(t *testing.T) {
	d := newDesk(t)
	servers := []*storetest.Store{d.Store, storetest.Prepared(t, d.url, storetest.Options{})}
	var all sync.WaitGroup
	var made atomic.Int32
	for i := range 40 {
		all.Go(func() {
			switch err := servers[i%2].Self.Make(t.Context(), d.host, "anna-1", self.Link{ID: fmt.Sprintf("self_at_once_%d", i), Hash: []byte("hash")}); {
			case err == nil:
				made.Add(1)
			case !errors.Is(err, self.ErrTooMany):
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := made.Load(); n != self.MaxLinks {
		t.Errorf("made %d", n)
	}
	d.exec("UPDATE self_link SET used = true")
	if err := d.Self.Make(t.Context(), d.host, "anna-1", self.Link{ID: "self_more", Hash: []byte("hash")}); !errors.Is(err, self.ErrTooMany) {
		t.Errorf("used ones are forgotten: %v", err)
	}
	if err := d.Self.Make(t.Context(), d.host, "boris", self.Link{ID: "self_boris", Hash: []byte("hash")}); err != nil {
		t.Error(err)
	}
	d.exec("UPDATE self_link SET created_at = now() - interval '1 minute'")
	if err := d.Self.Make(t.Context(), d.host, "anna-1", self.Link{ID: "self_more", Hash: []byte("hash")}); err != nil {
		t.Error(err)
	}
	if n := storetest.Ask[int64](t, d.url, "SELECT count(*) FROM self_link"); n != 1 {
		t.Errorf("%d links are kept", n)
	}
}

// A host has links made for its own accounts alone.
func TestWhoseLinks(t *testing.T) {
	d := newDesk(t)
	for host, machineID := range map[int64]string{d.host + 1: "anna-1", d.host: "nobody"} {
		if err := d.Self.Make(t.Context(), host, machineID, self.Link{ID: "self_1", Hash: []byte("hash")}); !errors.Is(err, self.ErrNotOwned) {
			t.Errorf("%s: %v", machineID, err)
		}
	}
}

// Of a link and of a login nothing is kept that opens it.
func TestHashes(t *testing.T) {
	d := newDesk(t)
	link, login := secret.New(secret.KindSelf), secret.New(secret.KindLogin)
	if err := d.Self.Make(t.Context(), d.host, "anna-1", self.Link{ID: link.ID, Hash: link.Hash()}); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Self.Open(t.Context(), link.ID, link.Matches, users.Fresh{ID: login.ID, Hash: login.Hash()}); err != nil {
		t.Fatal(err)
	}
	var kept string
	err := d.conn.QueryRow(t.Context(), "SELECT (SELECT json_agg(l) FROM self_link l)::text || (SELECT json_agg(s) FROM login_session s)::text").Scan(&kept)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []secret.Credential{link, login} {
		_, behind, _ := bytes.Cut([]byte(c.Reveal()), []byte("."))
		if bytes.Contains([]byte(kept), behind) || !bytes.Contains([]byte(kept), []byte(c.ID)) {
			t.Errorf("kept of %s: %s", c.ID, kept)
		}
	}
}

// A login by a link ends after an hour however it is used, is one of five of its account,
// and replaces none but of its kind; ending it ends no user's.
func TestLogins(t *testing.T) {
	d := newDesk(t)
	if _, err := d.open(d.link("anna-1"), "ses_hour"); err != nil {
		t.Fatal(err)
	}
	d.exec("UPDATE login_session SET created_at = now() - interval '59 minutes'")
	if !d.lasts("ses_hour") {
		t.Error("ended within the hour")
	}
	d.exec("UPDATE login_session SET created_at = now() - interval '61 minutes', last_seen_at = now()")
	if d.lasts("ses_hour") {
		t.Error("lasts after an hour")
	}
	d.exec("INSERT INTO login_session (id, usr, secret_hash, address, agent) VALUES ('ses_user', $1, 'x', '', '')", d.user)
	for i := range 7 {
		if _, err := d.open(d.link("anna-1"), fmt.Sprintf("ses_%d", i)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := d.open(d.link("boris"), "ses_boris"); err != nil {
		t.Fatal(err)
	}
	var lasting []string
	for i := range 7 {
		if id := fmt.Sprintf("ses_%d", i); d.lasts(id) {
			lasting = append(lasting, id)
		}
	}
	if !slices.Equal(lasting, []string{"ses_2", "ses_3", "ses_4", "ses_5", "ses_6"}) || !d.lasts("ses_boris") {
		t.Errorf("%v last", lasting)
	}
	for _, replaced := range []string{"ses_boris", "ses_user"} {
		login := users.Fresh{ID: "ses_instead_of_" + replaced, Hash: []byte("x"), Replaces: replaced}
		if _, err := d.Self.Open(t.Context(), d.link("anna-2"), always, login); err != nil {
			t.Fatal(err)
		}
		if err := d.Self.End(t.Context(), "ses_user"); err != nil {
			t.Fatal(err)
		}
	}
	if d.lasts("ses_boris") || !d.lasts("ses_user") {
		t.Error("a user's login ended, or that of a link did not")
	}
	if err := d.Self.End(t.Context(), "ses_6"); err != nil || d.lasts("ses_6") {
		t.Error(err)
	}
}

// Links tie accounts one by one, of one person; an administrator ties the person, in the
// place of those; untying forgets all. What is one's own follows joins and parts.
func TestTies(t *testing.T) {
	d := newDesk(t)
	d.is(0)
	anna := d.person("anna-1")
	if err := d.tie("anna-1"); err != nil {
		t.Fatal(err)
	}
	d.is(anna.ID, "anna-1")
	for _, other := range []string{"anna-2", "boris"} {
		if err := d.tie(other); !errors.Is(err, self.ErrOther) {
			t.Errorf("%s: %v", other, err)
		}
	}
	d.is(anna.ID, "anna-1")
	if _, err := d.People.Join(t.Context(), anna.ID, []string{"anna-2"}); err != nil {
		t.Fatal(err)
	}
	d.is(anna.ID, "anna-1")
	if err := d.tie("anna-2"); err != nil {
		t.Fatal(err)
	}
	d.is(anna.ID, "anna-1", "anna-2")
	// What was opened last decides whose part remains.
	apart, err := d.People.Part(t.Context(), anna.ID, "anna-2")
	if err != nil {
		t.Fatal(err)
	}
	d.is(apart.ID, "anna-2")
	for person, want := range map[int64]error{anna.ID: nil, 999: people.ErrNone} {
		if err := d.Self.TiePerson(t.Context(), d.user, person); !errors.Is(err, want) {
			t.Errorf("%d: %v", person, err)
		}
	}
	d.is(anna.ID, "anna-1")
	if err := d.tie("boris"); !errors.Is(err, self.ErrOther) {
		t.Error(err)
	}
	if _, err := d.People.Join(t.Context(), anna.ID, []string{"anna-2"}); err != nil {
		t.Fatal(err)
	}
	d.is(anna.ID, "anna-1", "anna-2")
	if err := d.Self.Untie(t.Context(), d.user); err != nil {
		t.Fatal(err)
	}
	d.is(0)
	for _, err := range []error{d.Self.TiePerson(t.Context(), "usr_none", anna.ID), d.Self.Untie(t.Context(), "usr_none")} {
		if !errors.Is(err, users.ErrNone) {
			t.Error(err)
		}
	}
	if err := d.Self.TiePerson(t.Context(), d.user, d.person("boris").ID); err != nil {
		t.Fatal(err)
	}
	d.is(d.person("boris").ID, "boris")
}

// Of two links at once that would make a user two people, one does.
func TestTiesAtOnce(t *testing.T) {
	d := newDesk(t)
	links := []string{d.link("anna-1"), d.link("boris")}
	var all sync.WaitGroup
	var tied atomic.Int32
	for _, link := range links {
		all.Go(func() {
			switch _, err := d.Self.TieAccount(t.Context(), d.user, link, always); {
			case err == nil:
				tied.Add(1)
			case !errors.Is(err, self.ErrOther):
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := tied.Load(); n != 1 {
		t.Errorf("tied to %d", n)
	}
}

// Who is erased leaves no link, login or tie.
func TestErased(t *testing.T) {
	d := newDesk(t)
	link, login := d.link("anna-1"), d.link("anna-1")
	if _, err := d.open(login, "ses_1"); err != nil {
		t.Fatal(err)
	}
	if err := d.tie("anna-1"); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Erasures.Erase(t.Context(), d.person("anna-1").ID); err != nil {
		t.Fatal(err)
	}
	if _, err := d.open(link, "ses_2"); !errors.Is(err, self.ErrLink) {
		t.Error(err)
	}
	if d.lasts("ses_1") {
		t.Error("the login lasts")
	}
	d.is(0)
	if err := d.Self.Make(t.Context(), d.host, "anna-1", self.Link{ID: "self_more", Hash: []byte("hash")}); !errors.Is(err, self.ErrNotOwned) {
		t.Error(err)
	}
	for _, table := range []string{"self_link", "own_account", "login_session"} {
		if n := storetest.Ask[int64](t, d.url, "SELECT count(*) FROM "+table); n != 0 {
			t.Errorf("%d rows of %s are left", n, table)
		}
	}
	if err := d.Self.TiePerson(t.Context(), d.user, d.person("boris").ID); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Erasures.Erase(t.Context(), d.person("boris").ID); err != nil {
		t.Fatal(err)
	}
	d.is(0)
}
