package logind

import "testing"

func TestSessionKeyRoundTrip(t *testing.T) {
	for _, k := range []SessionKey{
		{ID: "c1", Leader: 1, SinceUnixMicro: 1},
		{ID: "12", Leader: 4294967295, SinceUnixMicro: 18446744073709551615},
		{ID: "a-b", Leader: 7, SinceUnixMicro: 9},
	} {
		got, err := ParseSessionKey(k.String())
		if err != nil || got != k {
			t.Errorf("ParseSessionKey(%q) = %v, %v; want %v", k.String(), got, err, k)
		}
	}
}

func FuzzParseSessionKey(f *testing.F) {
	for _, s := range []string{"", "-", "c1-2-3", "c1--3", "-1-2", "c1-2-3-4", "c1-+2-3", "c1-02-3"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		k, err := ParseSessionKey(s)
		if err != nil {
			return
		}
		again, err := ParseSessionKey(k.String())
		if err != nil || again != k {
			t.Errorf("%q gave %v, which reads as %v, %v", s, k, again, err)
		}
	})
}
