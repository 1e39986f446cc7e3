package text

import "testing"

func TestLine(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		in   string
		most int
		want string
	}{
		"as it is":          {"Сервер – не готов", 0, "Сервер – не готов"},
		"steers a terminal": {"a\x1b[31mb\x00c\u009bd", 0, "a?[31mb?c?d"},
		"turns the text":    {"a\u202eb\u2066c\u200fd\u061ce", 0, "a?b?c?d?e"},
		"broken bytes":      {"a\xffb\xc3", 0, "a?b?"},
		"several lines":     {" one\ntwo\tthree\u00a0four\r\n", 0, "one; two three four"},
		"cut on a rune":     {"жжжж", 7, "жж…"},
		"just fits":         {"жж", 4, "жж"},
		"nothing":           {"", 4, ""},
	} {
		if got := Line(c.in, c.most); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestBlockKeepsLines(t *testing.T) {
	t.Parallel()
	if got, want := Block("one\n two\x1b\u202e\r\n"), "one\n two?? \n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestPrintable(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]bool{
		"keyd virtual keyboard": true, "клавиши": true, "": false, "a\nb": false, "a\u202eb": false, "a\xff": false, "longer than that, by far": false,
	} {
		if got := Printable(in, 22); got != want {
			t.Errorf("%q: %t, want %t", in, got, want)
		}
	}
}
