package api

import (
	"testing"
	"time"
)

func TestRejectionFate(t *testing.T) {
	ahead := time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC)
	tests := []struct {
		name string
		code Code
		at   time.Time
		want Fate
	}{
		{"ahead of the server's clock", CodeBadTimestamp, ahead, FateLater},
		{"the first instant that counts", CodeBadTimestamp, time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), FateLater},
		{"before 2000", CodeBadTimestamp, time.Date(1999, 12, 31, 23, 59, 59, 0, time.UTC), FateNever},
		{"before 2000, though not in its own zone", CodeBadTimestamp, time.Date(2000, 1, 1, 0, 0, 0, 0, time.FixedZone("", 3600)), FateNever},
		{"no timestamp", CodeBadTimestamp, time.Time{}, FateNever},
		{"another host's machine", CodeForeignMachine, ahead, FateLater},
		{"too many machines", CodeTooManyMachines, ahead, FateLater},
		{"a broken event", CodeBadEvent, ahead, FateNever},
		{"an erased person", CodeErased, ahead, FateForget},
		{"a newer server's code", "from_the_future", ahead, FateLater},
		{"no code", "", ahead, FateLater},
	}
	for _, test := range tests {
		if got := RejectionFate(test.code, test.at); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
}
