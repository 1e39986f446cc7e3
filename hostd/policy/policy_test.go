package policy

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/hostd/roster"
	rules "activity-tracker.example/server/api/policy"
	"activity-tracker.example/sessiond/wire"
)

func TestTitles(t *testing.T) {
	file := rules.Document{TitleRules: rules.Rules{
		{App: "Thunderbird", Action: rules.Drop}, {Title: "KeePass", Action: rules.Replace, With: "KeePass"},
	}}
	want := wire.Rules{Titles: true, Lists: [][]wire.Rule{{{App: "Thunderbird"}, {Title: "KeePass", With: "KeePass"}}}}
	if got := New(Options{Rules: file, Changed: func() {}}).Titles(); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
	off := false
	if got := New(Options{Rules: rules.Document{Titles: &off}, Changed: func() {}}).Titles(); !reflect.DeepEqual(got, wire.Rules{}) {
		t.Errorf("%+v", got)
	}
}

// TestAllow: who is excluded is left out silently, who is unresolved with a problem.
func TestAllow(t *testing.T) {
	d := &directory{groups: map[string]string{}, users: map[string][]string{"boris": {"1"}}}
	changed := make(chan struct{}, 100)
	p := New(Options{Rules: rules.Document{ExcludeUsers: []string{"root", "@admins"}}, Directory: d, Changed: func() { changed <- struct{}{} }})
	list := roster.Result{Tracked: []roster.Tracked{{Username: "root"}, {Username: "boris"}, {Username: "boris", Display: ":11"}}}
	if got := p.Allow(list); len(got.Tracked) > 0 || len(got.Problems) > 0 {
		t.Errorf("before the directory has answered: %+v", got)
	}
	for range 2 {
		select {
		case <-changed:
		case <-time.After(waitTime):
			t.Fatal("no answer")
		}
	}
	got := p.Allow(list)
	if len(got.Tracked) > 0 || len(got.Problems) != 1 || !strings.Contains(got.Problems[0].Text, "boris") {
		t.Errorf("while a group is unknown: %+v", got)
	}
	p.users.Exclude([]string{"root"})
	if got := p.Allow(list); len(got.Tracked) != 2 || len(got.Problems) > 0 {
		t.Errorf("%+v", got)
	}
}
