package text

import (
	"strings"
	"testing"
)

func TestClean(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		in    string
		limit int
		want  string
	}{
		"as it is":           {"Заметки – draft", 100, "Заметки – draft"},
		"control characters": {"a\x00b\nc\x1bd\u0085e", 100, "a b c d e"},
		"broken bytes":       {"a\xffb\xc3", 100, "a\uFFFDb\uFFFD"},
		"cut on a rune":      {"жжж", 5, "жж"},
		"cut when broken":    {"\xff" + strings.Repeat("ж", 100), 5, "\uFFFDж"},
		"bidirectional":      {"a\u202egnp.exe\u202c \u2066b\u2069\u200e\u200f\u061cc", 100, "agnp.exe bc"},
		"right to left":      {"مرحبا שלום", 100, "مرحبا שלום"},
		"nothing":            {"", 10, ""},
	} {
		if got := Clean([]byte(c.in), c.limit); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
