package wire

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

func sampleRules() Rules {
	return Rules{ID: 7, UntilUnix: 1_800_000_000, Titles: true, Lists: [][]Rule{
		{{App: "Thunderbird"}, {Title: "^(.*) - KeePass.*$", With: "KeePass"}},
		{{Title: "день\t"}},
	}}
}

func TestRulesRoundTrip(t *testing.T) {
	t.Parallel()
	full := Rules{ID: 1<<64 - 1, Lists: [][]Rule{slicesOf(MaxRules/2, Rule{Title: strings.Repeat("t", 163)}), slicesOf(MaxRules/2, Rule{App: strings.Repeat("a", 163)})}}
	for len(full.Lists) < MaxRuleLists {
		full.Lists = append(full.Lists, []Rule{})
	}
	for name, want := range map[string]Rules{"none": {ID: 1, Titles: true}, "off": {ID: 2}, "sample": sampleRules(), "full": full} {
		b := AppendRules(nil, &want)
		if len(b) > MaxRulesBytes || !IsRules(b) {
			t.Fatalf("%s: %d bytes", name, len(b))
		}
		if _, ok := ParseCeiling(b); ok {
			t.Fatalf("%s: an older helper takes it for a version", name)
		}
		if got, err := ParseRules(b); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v; want %+v", name, got, err, want)
		}
	}
}

func TestRulesRefused(t *testing.T) {
	t.Parallel()
	sample := sampleRules()
	good := AppendRules(nil, &sample)
	with := func(change func(*Rules)) []byte {
		r := sampleRules()
		change(&r)
		return AppendRules(nil, &r)
	}
	for name, b := range map[string][]byte{
		"nothing":          nil,
		"a ceiling":        Ceiling(Version),
		"another version":  append([]byte{rulesKind, rulesVersion + 1}, good[2:]...),
		"cut off":          good[:len(good)-1],
		"bytes after":      append(append([]byte{}, good...), 0),
		"no name":          with(func(r *Rules) { r.ID = 0 }),
		"too many lists":   with(func(r *Rules) { r.Lists = make([][]Rule, MaxRuleLists+1) }),
		"too many rules":   with(func(r *Rules) { r.Lists[0] = make([]Rule, MaxRules) }),
		"a long pattern":   with(func(r *Rules) { r.Lists[0][0].Title = strings.Repeat("x", MaxPatternBytes+1) }),
		"too much in all":  with(func(r *Rules) { r.Lists[0] = slicesOf(MaxRules, Rule{Title: strings.Repeat("x", MaxPatternBytes)}) }),
		"a control letter": with(func(r *Rules) { r.Lists[0][1].With = "a\nb" }),
	} {
		if r, err := ParseRules(b); !errors.Is(err, ErrMalformed) || !reflect.DeepEqual(r, Rules{}) {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
}

func slicesOf(n int, r Rule) []Rule {
	list := make([]Rule, n)
	for i := range list {
		list[i] = r
	}
	return list
}

func TestRetitle(t *testing.T) {
	t.Parallel()
	r := Report{Focus: []Focus{
		{App: "A", Title: "1", DurationMS: 1, ActiveMS: 1},
		{App: "B", Title: "1", DurationMS: 2, ActiveMS: 2},
		{App: "A", Title: "2", DurationMS: 4, ActiveMS: 3},
		{App: "B", Title: "2", DurationMS: 8, ActiveMS: ActiveUnknown},
	}}
	r.Retitle(func(_, _ string) string { return "" })
	want := []Focus{{App: "A", DurationMS: 5, ActiveMS: 4}, {App: "B", DurationMS: 10, ActiveMS: ActiveUnknown}}
	if !reflect.DeepEqual(r.Focus, want) {
		t.Fatalf("%+v, want %+v", r.Focus, want)
	}
}

// FuzzParseRules: no packet makes it panic, and what it takes is what it writes.
func FuzzParseRules(f *testing.F) {
	sample := sampleRules()
	f.Add(AppendRules(nil, &sample))
	f.Add([]byte{rulesKind, rulesVersion, 1, 1, 2, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		first, err := ParseRules(b)
		if err != nil {
			return
		}
		second, err := ParseRules(AppendRules(nil, &first))
		if err != nil || !reflect.DeepEqual(first, second) {
			t.Fatalf("%+v became %+v, %v", first, second, err)
		}
	})
}
