package secret

import (
	"fmt"
	"strings"
	"testing"
)

func TestRoundTrip(t *testing.T) {
	for _, kind := range []Kind{KindToken, KindHost, KindEnrollment, KindInvitation, KindLogin} {
		made := New(kind)
		read, err := Parse(made.Reveal())
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		if read.ID != made.ID || read.Kind != kind || !read.Matches(made.Hash()) {
			t.Errorf("%s: read %v, made %v", kind, read, made)
		}
		if other := New(kind); other.Matches(made.Hash()) || other.ID == made.ID {
			t.Errorf("%s: two credentials are equal", kind)
		}
		if len(made.Hash()) != HashBytes || read.Matches(nil) {
			t.Errorf("%s: wrong hash", kind)
		}
	}
}

func TestPrintingTellsNoSecret(t *testing.T) {
	c := New(KindToken)
	_, sec, _ := strings.Cut(c.Reveal(), ".")
	for _, verb := range []string{"%v", "%s"} {
		if strings.Contains(fmt.Sprintf(verb, c), sec) {
			t.Errorf("%s shows the secret", verb)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	good := New(KindHost).Reveal()
	id, sec, _ := strings.Cut(good, ".")
	for _, text := range []string{
		"", ".", id, id + ".", "." + sec, good + "A", good + "\x00", " " + good, good + "=",
		strings.ToUpper(id) + "." + sec, "xxx" + id[4:] + "." + sec, id + "." + sec[:42] + "!",
		id + "." + sec + "." + sec, strings.Repeat("a", 1<<20),
	} {
		if _, err := Parse(text); err == nil {
			t.Errorf("%.60q was accepted", text)
		} else if strings.Contains(err.Error(), sec) {
			t.Errorf("the error repeats the secret: %v", err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(New(KindToken).Reveal())
	f.Add("tok_0123456789abcdef.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Parse(text)
		if err == nil && c.Reveal() != text {
			t.Fatalf("%q was read as %q", text, c.Reveal())
		}
	})
}
