package auth

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"
)

func TestFailures(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	f := NewFailures(3, 10*time.Second, func() time.Time { return now })
	one, other := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	for i := range 3 {
		if _, limited := f.Failed(one); limited {
			t.Fatalf("attempt %d is limited", i)
		}
	}
	wait, limited := f.Failed(one)
	if !limited || wait != 10*time.Second {
		t.Fatalf("fourth attempt: wait %v, limited %v", wait, limited)
	}
	if _, limited := f.Failed(other); limited {
		t.Error("another address is limited")
	}
	now = now.Add(wait)
	if _, limited := f.Failed(one); limited {
		t.Error("still limited after the wait")
	}
	if _, limited := f.Failed(one); !limited {
		t.Error("one wait earned two attempts")
	}
	now = now.Add(time.Hour)
	for i := range 3 {
		if _, limited := f.Failed(one); limited {
			t.Fatalf("attempt %d an hour later is limited", i)
		}
	}
}

func TestFailuresOfOneIPv6Site(t *testing.T) {
	f := NewFailures(1, time.Minute, time.Now)
	f.Failed(netip.MustParseAddr("2001:db8::1"))
	if _, limited := f.Failed(netip.MustParseAddr("2001:db8::2")); !limited {
		t.Error("another address of the same /64 is not limited")
	}
	if _, limited := f.Failed(netip.MustParseAddr("2001:db8:0:1::1")); limited {
		t.Error("another /64 is limited")
	}
}

func TestFailuresBoundTheirMemory(t *testing.T) {
	f := NewFailures(1, time.Hour, time.Now)
	for i := range uint32(3 * maxAddresses) {
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], i)
		f.Failed(netip.AddrFrom4(b))
	}
	if len(f.attempts) > maxAddresses {
		t.Errorf("%d addresses are kept, at most %d", len(f.attempts), maxAddresses)
	}
}
