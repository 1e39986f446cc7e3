package audit_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/internal/store/audit"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/storetest"
)

// bench is the audit log of a database, and a way to change it otherwise.
type bench struct {
	*storetest.Store
	t    *testing.T
	conn *pgx.Conn
}

func newBench(t *testing.T) *bench {
	t.Helper()
	url := storetest.NewDatabase(t)
	return &bench{storetest.Prepared(t, url, storetest.Options{}), t, storetest.Connect(t, url)}
}

func anna() audit.Actor { return audit.Actor{Kind: audit.User, ID: "usr_1", Name: "anna"} }

// groups makes so many groups as anna: a change each.
func (b *bench) groups(n int) {
	b.t.Helper()
	for i := range n {
		if _, _, err := b.AddGroup(audit.As(b.t.Context(), anna()), fmt.Sprint("g", i)); err != nil {
			b.t.Fatal(err)
		}
	}
}

func (b *bench) verify(known ...audit.Head) audit.Verdict {
	b.t.Helper()
	v, err := b.Audit.Verify(b.t.Context(), known...)
	if err != nil {
		b.t.Fatal(err)
	}
	return v
}

// What is done to the log behind the program's back is found, and only that.
func TestVerify(t *testing.T) {
	b := newBench(t)
	b.groups(5)
	clean := b.verify()
	if clean.Wrong != "" || clean.Entries != 5 || clean.Erased != 0 || !strings.HasPrefix(clean.Head, "5:") {
		t.Fatalf("%+v", clean)
	}
	head, err := audit.ParseHead(clean.Head)
	if err != nil {
		t.Fatal(err)
	}
	const copied = `INSERT INTO audit_log SELECT %s, at, what, actor_kind, actor_ref, subject_ref, texts, digests, hash FROM audit_log WHERE seq = 5`
	for _, test := range []struct{ name, sql, wrong string }{
		{"nothing", "SELECT 1", ""},
		{"time", "UPDATE audit_log SET at = at + interval '1 microsecond' WHERE seq = 2", "entry 2 is not"},
		{"kind", "UPDATE audit_log SET what = 'group.removed' WHERE seq = 2", "entry 2 is not"},
		{"actor", "UPDATE audit_log SET actor_ref = 'usr_2' WHERE seq = 1", "entry 1 is not"},
		{"actor's kind", "UPDATE audit_log SET actor_kind = 'token' WHERE seq = 5", "entry 5 is not"},
		{"part moved to the next", "UPDATE audit_log SET actor_ref = actor_ref || 'x', subject_ref = 'y' WHERE seq = 3", "entry 3 is not"},
		{"name", "UPDATE audit_text SET body = 'berta' WHERE id = (SELECT texts[1] FROM audit_log WHERE seq = 3)", "a text of entry 3"},
		{"name without salt", "UPDATE audit_text SET salt = NULL WHERE id = (SELECT texts[1] FROM audit_log WHERE seq = 3)", "a text of entry 3"},
		{"name and digest", `WITH t AS (UPDATE audit_text SET body = 'berta', salt = '' WHERE id = (SELECT texts[1] FROM audit_log WHERE seq = 4))
			UPDATE audit_log SET digests[1] = sha256('berta') WHERE seq = 4`, "entry 4 is not"},
		{"names exchanged", "UPDATE audit_log SET texts = ARRAY[texts[2], texts[1], texts[3]] WHERE seq = 2", "entry 2 is not"},
		{"hash", "UPDATE audit_log SET hash = sha256('x') WHERE seq = 2", "entry 2 is not"},
		{"removed first", "DELETE FROM audit_log WHERE seq = 1", "something is missing"},
		{"removed", "DELETE FROM audit_log WHERE seq = 3", "between entry 2 and entry 4"},
		{"removed last", "DELETE FROM audit_log WHERE seq = 5", "newest entry should be 5"},
		{"removed last with head", `WITH d AS (DELETE FROM audit_log WHERE seq = 5)
			UPDATE audit_head SET (seq, hash) = (SELECT seq, hash FROM audit_log WHERE seq = 4)`, "entry 5, which the system's log knows, is missing"},
		{"all removed", "WITH d AS (DELETE FROM audit_log) UPDATE audit_head SET seq = 0, hash = ''", "entry 5, which"},
		{"head removed", "DELETE FROM audit_head", "newest entry should be 0"},
		{"reordered", "UPDATE audit_log SET seq = CASE seq WHEN 2 THEN 1002 WHEN 3 THEN 1003 END WHERE seq IN (2, 3); UPDATE audit_log SET seq = 1005 - seq WHERE seq > 1000", "entry 2 is not"},
		{"added at the end", fmt.Sprintf(copied, "6"), "entry 6 is not"},
		{"added before", fmt.Sprintf(copied, "0"), "entry 0"},
		{"added within", "UPDATE audit_log SET seq = seq + 1000 WHERE seq > 3; UPDATE audit_log SET seq = seq - 999 WHERE seq > 1000; " + strings.Replace(fmt.Sprintf(copied, "4"), "seq = 5", "seq = 6", 1), "entry 4 is not"},
	} {
		if err := b.aside(test.sql, func() {
			v := b.verify(head)
			if (v.Wrong == "") != (test.wrong == "") || !strings.Contains(v.Wrong, test.wrong) {
				t.Errorf("%s: %+v, want %q", test.name, v, test.wrong)
			}
		}); err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
	}
	if again := b.verify(head); again != clean {
		t.Errorf("afterwards %+v", again)
	}
}

// aside changes the tables, does something and puts them back.
func (b *bench) aside(sql string, do func()) error {
	b.t.Helper()
	exec := func(sql string) error {
		_, err := b.conn.Exec(b.t.Context(), sql)
		return err
	}
	const keep, back = `CREATE TABLE kept_%[1]s AS TABLE %[1]s`, `TRUNCATE %[1]s; INSERT INTO %[1]s TABLE kept_%[1]s; DROP TABLE kept_%[1]s`
	tables := []string{"audit_log", "audit_text", "audit_head"}
	var errs []error
	for _, table := range tables {
		errs = append(errs, exec(fmt.Sprintf(keep, table)))
	}
	errs = append(errs, exec(sql))
	do()
	for _, table := range tables {
		errs = append(errs, exec(fmt.Sprintf(back, table)))
	}
	return errors.Join(errs...)
}

// A name that was erased is gone everywhere, nobody can try what it was, and the chain
// holds and reports how many.
func TestErase(t *testing.T) {
	b := newBench(t)
	b.groups(3)
	ctx := audit.As(t.Context(), anna())
	if _, err := b.RenameGroup(ctx, "g1", "anna"); err != nil {
		t.Fatal(err)
	}
	if err := b.RemoveGroup(audit.As(t.Context(), audit.Actor{Kind: audit.Command, ID: "1000"}), "anna"); err != nil {
		t.Fatal(err)
	}
	err := b.DB.Write(t.Context(), "erasing", func(tx pgx.Tx) error {
		n, err := audit.Erase(t.Context(), tx, "anna")
		// Four times who did it, once what it was called then, once in details.
		if n != 6 {
			t.Errorf("%d texts", n)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if v := b.verify(); v.Wrong != "" || v.Erased != 6 || v.Entries != 5 {
		t.Errorf("%+v", v)
	}
	var left int
	if err := b.conn.QueryRow(t.Context(), "SELECT count(*) FROM audit_text WHERE body LIKE '%anna%' OR (body IS NULL) <> (salt IS NULL)").Scan(&left); err != nil || left != 0 {
		t.Errorf("%d left, %v", left, err)
	}
	list, err := b.Audit.List(t.Context(), 1<<62, 10)
	if err != nil || len(list) != 5 {
		t.Fatal(list, err)
	}
	if e := list[1]; e.What != "group.renamed" || e.ActorID != "usr_1" || e.ActorName != nil || e.Details != nil || e.Subject == nil || *e.Subject != "g1" {
		t.Errorf("%+v", e)
	}
}

// Fifty changes at once, of several kinds, make one chain; a change that fails leaves
// nothing in it.
func TestManyAtOnce(t *testing.T) {
	b := newBench(t)
	b.groups(1)
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			ctx := audit.As(t.Context(), audit.Actor{Kind: audit.Token, ID: fmt.Sprint("tok_", i)})
			var err error
			switch i % 3 {
			case 0:
				_, _, err = b.AddGroup(ctx, fmt.Sprint("many", i))
			case 1:
				err = b.AddToken(ctx, directory.Token{ID: fmt.Sprint("tok_", i), Name: "x", Role: directory.RoleViewer, Limited: true, Groups: []string{"g0"}}, []byte("x"))
			default:
				_, err = b.SetCategories(ctx, nil, nil)
			}
			if err != nil {
				t.Error(err)
			}
			if _, err := b.RenameGroup(ctx, "nowhere", "x"); !errors.Is(err, directory.ErrNoGroup) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if v := b.verify(); v.Wrong != "" || v.Entries != 51 {
		t.Errorf("%+v", v)
	}
}

func TestParseHead(t *testing.T) {
	for _, bad := range []string{"", "1", "x:00", "0:00", "-1:00", "1:", "1:0", "1:xx", "1:00:00"} {
		if _, err := audit.ParseHead(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	if h, err := audit.ParseHead(" 12:c0ffee\n"); err != nil || h.String() != "12:c0ffee" {
		t.Error(h, err)
	}
}
