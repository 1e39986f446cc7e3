package text

import (
	"strings"
	"testing"
)

func TestWithoutBidi(t *testing.T) {
	tests := map[string]string{
		"":                                   "",
		"plain":                              "plain",
		"invoice\u202etxt.exe":               "invoicetxt.exe",
		"\u2066a\u2067b\u2068c\u2069d":       "abcd",
		"\u202aa\u202bb\u202cc\u202dd":       "abcd",
		"a\u200e\u200f\u061cb":               "ab",
		"“quoted” – dash…":                   "“quoted” – dash…",
		"שלום עולם":                          "שלום עולם",
		"مرحبا":                              "مرحبا",
		"family \U0001f468\u200d\U0001f469":  "family \U0001f468\u200d\U0001f469",
		"non\u200cjoiner":                    "non\u200cjoiner",
		"\u2065\u206a\u2029\u202f\u200b":     "\u2065\u206a\u2029\u202f\u200b",
		strings.Repeat("\u202e", 1000) + "x": "x",
	}
	for in, want := range tests {
		if got := WithoutBidi(in); got != want {
			t.Errorf("%+q: %+q, want %+q", in, got, want)
		}
	}
}

func TestPrintableAndVisible(t *testing.T) {
	tests := map[string]struct{ printable, visible bool }{
		"":                   {true, true},
		"Приёмная 2":         {true, true},
		"heart \u2764":       {true, true},
		"heart \u2764\ufe0f": {true, false},
		"hangul\u3164":       {true, false},
		"\u2800":             {true, false},
		"tab\t":              {false, false},
		"NUL\x00":            {false, false},
		"bad \xff":           {false, false},
		"rtl \u202e":         {false, false},
	}
	for s, want := range tests {
		if got := Printable(s); got != want.printable {
			t.Errorf("%+q printable: %v", s, got)
		}
		if got := Visible(s); got != want.visible {
			t.Errorf("%+q visible: %v", s, got)
		}
	}
}
