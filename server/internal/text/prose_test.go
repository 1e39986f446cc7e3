package text

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestProse(t *testing.T) {
	for in, want := range map[string]string{
		"meeting":                              "meeting",
		"  two\r\n\tlines\u00a0and\u2028more ": "two lines and more",
		"invoice\u202etxt.exe":                 "invoicetxt.exe",
		"встреча: \u2066план\u2069":            "встреча: план",
		"family \U0001f468\u200d\U0001f469":    "family \U0001f468\u200d\U0001f469",
		"می\u200cخواهم":                        "می\u200cخواهم",
		"heart \u2764\ufe0f":                   "heart \u2764\ufe0f",
		"=1+1":                                 "=1+1",
		"<b>&amp;":                             "<b>&amp;",
		"":                                     "",
		" \n\t":                                "",
		"\u200d\u200c":                         "",
		"\u202e":                               "",
		"\u3164 \u2800":                        "",
		"a\x00":                                "",
		"a\x1b[2J":                             "",
		"a\u009b2J":                            "",
		"a\ufffd":                              "",
		"a\xff":                                "",
		"a\u00ad":                              "",
		"a\ufeff":                              "",
		"a\U000e0041":                          "",
		"a\ue000":                              "",
	} {
		if got, ok := Prose(in); got != want && ok || ok != (want != "") {
			t.Errorf("%+q: %+q %v, want %+q", in, got, ok, want)
		}
	}
}

// What is a line is one, stays so when it is read again, and steers nothing.
func FuzzProse(f *testing.F) {
	for _, s := range []string{"meeting", " a\u00a0b ", "\u202ea", "\u200d", "a\x1b", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		line, ok := Prose(s)
		if !ok {
			return
		}
		again, still := Prose(line)
		if line == "" || again != line || !still || !utf8.ValidString(line) || strings.TrimSpace(line) != line || WithoutBidi(line) != line || strings.ContainsAny(line, "\x00\r\n\t\x1b\u2028") {
			t.Errorf("%+q: %+q, then %+q %v", s, line, again, still)
		}
	})
}
