package e2e

import (
	"testing"

	"activity-tracker.example/testhost/debian"
)

// TestSlowTrixie runs on Debian 13 what `make test` runs on Debian 12 alone.
func TestSlowTrixie(t *testing.T) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, debian.Suite)
	}{
		{"Restarts", restarts},
		{"HostileUser", hostileUser},
		{"ConfigurationMistake", configurationMistake},
		{"WhatIsInFront", whatIsInFront},
		{"WholeWay", wholeWay},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(t, debian.Trixie)
		})
	}
}
