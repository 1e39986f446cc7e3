package audit_test

import (
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/internal/store/audit"
)

// What hosts call their accounts is read as it was written, and as no other's.
func TestNames(t *testing.T) {
	for _, test := range []struct {
		ids  []string
		text string
	}{
		{[]string{"m1"}, "m1"},
		{[]string{"m1", "m2"}, "m1, m2"},
		{[]string{"x, m2", "m1"}, `"x, m2", m1`},
		{[]string{"x,m2", "a, "}, `x,m2, "a, "`},
		{[]string{`"m2"`, `", m2, "`}, `"\"m2\"", "\", m2, \""`},
		{[]string{`a"b`, `\`, "Ä, Ö"}, `a"b, \, "Ä, Ö"`},
	} {
		if text := audit.Names(test.ids...); text != test.text || !slices.Equal(audit.Named(text), test.ids) {
			t.Errorf("%q: %s, read as %q", test.ids, text, audit.Named(text))
		}
	}
	for text, want := range map[string][]string{"": {""}, `"`: {`"`}, `"a, b`: {`"a`, "b"}, "`a`, b": {"`a`", "b"}} {
		if got := audit.Named(text); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

// Of who was erased no account is left, also where it was called like a list; who is named in
// its name is not meant by it.
func TestEraseAboutAnAccountLikeAList(t *testing.T) {
	b := newBench(t)
	about := func(what, detail string) {
		err := b.DB.Write(t.Context(), "changing", func(tx pgx.Tx) error {
			return audit.Write(t.Context(), tx, audit.Change{What: what, ID: "7", Details: map[string]string{"machine_ids": detail}})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	left := func(machineID string) (whats []string) {
		err := b.DB.Write(t.Context(), "erasing", func(tx pgx.Tx) error {
			_, err := audit.EraseAbout(t.Context(), tx, audit.About{People: []string{"8"}, MachineIDs: []string{machineID}})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		list, err := b.Audit.List(t.Context(), 1<<62, 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range slices.Backward(list) {
			if e.Details != nil {
				whats = append(whats, e.What)
			}
		}
		return whats
	}
	about("new", audit.Names("m1", "x, m2"))
	about("old", "m1, x, m2, m3") // as it was written before
	about("other", audit.Names("x", "m3"))
	if got := left("m"); !slices.Equal(got, []string{"new", "old", "other"}) {
		t.Errorf("%q", got)
	}
	if got := left("x, m2"); !slices.Equal(got, []string{"other"}) {
		t.Errorf("%q", got)
	}
	about("named", audit.Names("x, m2"))
	if got := left("m2"); !slices.Equal(got, []string{"other", "named"}) {
		t.Errorf("%q", got)
	}
}
