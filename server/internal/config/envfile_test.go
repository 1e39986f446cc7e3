package config

import (
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestParseEnv(t *testing.T) {
	for name, tt := range map[string]struct {
		text string
		want []variable
		fail string // part of the error
	}{
		"empty":      {"", nil, ""},
		"comments":   {"# A=1\n\n  ; B=2\n\t\n", nil, ""},
		"plain":      {"A=1\nb_2=x y\n", []variable{{"A", "1"}, {"b_2", "x y"}}, ""},
		"URL":        {"DATABASE_URL=postgres://u:p%20w@h/d?a=b#c&x=y", []variable{{"DATABASE_URL", "postgres://u:p%20w@h/d?a=b#c&x=y"}}, ""},
		"quotes":     {"A=\" x'\"\nB='\"'\nC=\"\"", []variable{{"A", " x'"}, {"B", `"`}, {"C", ""}}, ""},
		"space":      {"  A=  1\t \r\nB=", []variable{{"A", "1"}, {"B", ""}}, ""},
		"no value":   {"A=1\nB\n", nil, "2: want NAME=VALUE"},
		"export":     {"export A=1", nil, "1: want NAME=VALUE"},
		"no name":    {"=1", nil, "1: want NAME=VALUE"},
		"digit":      {"1A=1", nil, "1: want NAME=VALUE"},
		"spaced":     {"A =1", nil, "1: want NAME=VALUE"},
		"twice":      {"A=1\n#\nA=2", nil, "3: A is set in line 1"},
		"half quote": {`A="x`, nil, "1: A: quotes go around"},
		"one quote":  {`A="`, nil, "1: A: quotes go around"},
		"in quotes":  {`A="x"y"`, nil, "1: A: a quote inside"},
		"backslash":  {`A=x\y`, nil, "1: A: a backslash"},
		"control":    {"A=x\x00y", nil, "1: A: a backslash"},
		"not UTF-8":  {"A=\xff", nil, "1: A: a backslash"},
		"large":      {strings.Repeat("#\n", maxEnvFileBytes), nil, "more than"},
		"long line":  {"A=" + strings.Repeat("x", maxEnvFileBytes), nil, "too long"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parseEnv(strings.NewReader(tt.text))
			switch {
			case tt.fail == "" && (err != nil || !reflect.DeepEqual(got, tt.want)):
				t.Errorf("got %q, %v; want %q", got, err, tt.want)
			case tt.fail != "" && (err == nil || !strings.Contains(err.Error(), tt.fail)):
				t.Errorf("got %q, %v; want an error with %q", got, err, tt.fail)
			}
		})
	}
}

// What is taken can be written again and read the same.
func FuzzParseEnv(f *testing.F) {
	for _, seed := range []string{"A=1\nB='x y'\n# c\n", "A=\"'\"", "A=\\\n", "export A=1", "A=1\nA=2", "=\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		list, err := parseEnv(strings.NewReader(text))
		if err != nil {
			return
		}
		var again strings.Builder
		for _, v := range list {
			if v.name == "" || !utf8.ValidString(v.value) || strings.ContainsAny(v.value, "\n\r\x00\\") {
				t.Fatalf("%q gives %q", text, v)
			}
			quote := `"`
			if strings.Contains(v.value, quote) {
				quote = "'"
			}
			again.WriteString(v.name + "=" + quote + v.value + quote + "\n")
		}
		if again.Len() > maxEnvFileBytes {
			return
		}
		if got, err := parseEnv(strings.NewReader(again.String())); err != nil || !reflect.DeepEqual(got, list) {
			t.Fatalf("%q gives %q, and that %q, %v", text, list, got, err)
		}
	})
}
