package text

import "testing"

func TestEscapedJSON(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{`{"a":"b"}`, `{"a":"b"}`},
		{"{\"a\":\"\u009b2J\x7fä\"}", `{"a":"\u009b2J\u007fä"}`},
	} {
		if got := string(EscapedJSON([]byte(test.in))); got != test.want {
			t.Errorf("%q: %q, want %q", test.in, got, test.want)
		}
	}
}
