package main

import (
	"errors"
	"testing"
	"time"
)

func TestAccount(t *testing.T) {
	a := &account{name: "root"}
	now := time.Now()
	if id, err := a.uid(now); id != 0 || err != nil {
		t.Errorf("root is %d, %v", id, err)
	}
	for _, name := range []string{"no-such-user-here", "0", "--help"} {
		a := &account{name: name}
		_, err := a.uid(now)
		if err == nil {
			t.Errorf("%q is a user", name)
		}
		if _, again := a.uid(now.Add(accountRetry - 1)); !errors.Is(again, err) {
			t.Errorf("%q was looked up again at once", name)
		}
	}
}
