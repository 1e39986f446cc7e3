package sample_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/server/sample"
)

// They are the same each time, each with an account of their own, and marked where that is
// wanted.
func TestPeople(t *testing.T) {
	const many = 2000
	people := sample.People(many, "Sample")
	accounts := map[string]bool{}
	for i := range people {
		p := &people[i]
		accounts[p.MachineID] = true
		for _, text := range []string{p.Account, p.MachineID, p.Host, p.Name, p.Team} {
			if !strings.HasPrefix(strings.ToLower(text), "sample") {
				t.Fatalf("%q shows nobody that they are made up", text)
			}
		}
	}
	if len(accounts) != many || !reflect.DeepEqual(people, sample.People(many, "Sample")) {
		t.Errorf("%d accounts of %d people, or others each time", len(accounts), many)
	}
}

// A day has records in order, none after its end; a weekend has none unless somebody must be
// there.
func TestDay(t *testing.T) {
	monday := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	end := monday.Add(15 * time.Hour)
	worked := 0
	people := sample.People(30, "")
	for i := range people {
		p := &people[i]
		list := p.Day(monday, end, time.Minute, false)
		for j := range list {
			if j > 0 && !list[j].Timestamp.After(list[j-1].Timestamp) || list[j].Timestamp.Add(time.Minute).After(end) {
				t.Fatalf("%s: record %d is at %s", p.Name, j, list[j].Timestamp)
			}
		}
		if len(list) > 0 {
			worked++
		}
		if p.Day(monday.AddDate(0, 0, -1), monday, time.Minute, false) != nil {
			t.Errorf("%s works on a Sunday", p.Name)
		}
		for _, minutes := range []int{5, 200, 1439} {
			now := monday.Add(time.Duration(minutes) * time.Minute)
			list := p.Day(monday, now, time.Minute, true)
			if len(list) == 0 || now.Sub(list[len(list)-1].Timestamp) > 2*time.Minute {
				t.Errorf("%s is not there %d minutes after midnight", p.Name, minutes)
			}
		}
	}
	if worked < 20 || worked == len(people) {
		t.Errorf("%d of %d people work", worked, len(people))
	}
}
