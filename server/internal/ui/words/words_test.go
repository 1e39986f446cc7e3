package words_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/template/parse"
	"time"
	"unicode"

	"activity-tracker.example/server/internal/ui/words"
)

func load(t *testing.T) *words.Catalogue {
	t.Helper()
	c, err := words.Load()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// All languages have the same sentences, and the plural forms that they need.
func TestCataloguesAreComplete(t *testing.T) {
	all := load(t).Languages()
	for _, w := range all[1:] {
		if !slices.Equal(w.Keys(), all[0].Keys()) {
			t.Errorf("%s and %s have other sentences:\n%v\n%v", w.Lang, all[0].Lang, w.Keys(), all[0].Keys())
		}
	}
	for _, w := range all {
		for _, key := range w.Keys() {
			one := w.T(key)
			if one != "" && strings.TrimSpace(one) != one {
				t.Errorf("%s: %s begins or ends with a space", w.Lang, key)
			}
			if one != "" { // it is no plural
				continue
			}
			for _, n := range []int{0, 1, 2, 5, 21, 1_000_000} {
				if s := w.N(key, n); s == "" || strings.Contains(s, "%!") {
					t.Errorf("%s: %s of %d: %q", w.Lang, key, n, s)
				}
			}
		}
	}
}

// A page has no words of its own, and asks for none that is in no catalogue.
func TestPagesAreWorded(t *testing.T) {
	w := load(t).Languages()[0]
	files, err := filepath.Glob("../*/*.html")
	if err != nil || len(files) < 3 {
		t.Fatal(files, err)
	}
	for _, file := range append(files, "../self.html") {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		trees := map[string]*parse.Tree{}
		tree := parse.New(file)
		tree.Mode = parse.SkipFuncCheck
		if _, err := tree.Parse(string(b), "", "", trees); err != nil {
			t.Fatal(err)
		}
		for _, one := range trees {
			for _, wrong := range unworded(w, one.Root) {
				t.Errorf("%s: %s", file, wrong)
			}
		}
	}
}

// unworded lists the words of a template that no catalogue has.
func unworded(w *words.Words, root parse.Node) (wrong []string) {
	asked := regexp.MustCompile(`\.(?:T|N) "([^"]+)"`)
	made := regexp.MustCompile(`printf "([a-z]+\.)%s"`)
	tag := regexp.MustCompile(`(?s)<[^>]*>`)
	attribute := regexp.MustCompile(`(?:aria-label|title|alt|placeholder)="[^"{]*[\p{L}]`)
	text := root.String()
	for _, m := range asked.FindAllStringSubmatch(text, -1) {
		if !w.Has(m[1]) {
			wrong = append(wrong, "asks for "+m[1])
		}
	}
	for _, m := range made.FindAllStringSubmatch(text, -1) {
		if !slices.ContainsFunc(w.Keys(), func(k string) bool { return strings.HasPrefix(k, m[1]) }) {
			wrong = append(wrong, "asks for "+m[1]+"…")
		}
	}
	for _, m := range attribute.FindAllString(text, -1) {
		wrong = append(wrong, "says "+m)
	}
	plain := tag.ReplaceAllString(regexp.MustCompile(`(?s)<code>.*?</code>`).ReplaceAllString(regexp.MustCompile(`(?s)\{\{.*?\}\}`).ReplaceAllString(text, "·"), ""), " ")
	if i := strings.IndexFunc(plain, unicode.IsLetter); i >= 0 {
		wrong = append(wrong, "says "+strings.TrimSpace(plain[i:min(len(plain), i+40)]))
	}
	return wrong
}

// What is said of a refusal is of one that the API has.
func TestRefusalsAreCodes(t *testing.T) {
	files, err := filepath.Glob("../../../api/*.go")
	if err != nil || len(files) < 3 {
		t.Fatal(files, err)
	}
	var codes []string
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^\tCode\w+\s+(?:Code\s+)?= "([a-z_]+)"|^const Code\w+ Code = "([a-z_]+)"`).FindAllStringSubmatch(string(b), -1) {
			codes = append(codes, m[1]+m[2])
		}
	}
	for _, key := range load(t).Languages()[0].Keys() {
		if code, ok := strings.CutPrefix(key, "refused."); ok && !slices.Contains(codes, code) {
			t.Errorf("no refusal of the API is %s", code)
		}
	}
}

func TestLanguageOfABrowser(t *testing.T) {
	c := load(t)
	for _, x := range [][3]string{
		{"", "", "en"}, {"", "ru-RU,ru;q=0.9,en;q=0.8", "ru"}, {"", "de, RU;q=0.5", "ru"}, {"en", "ru", "en"}, {"xx", "ru", "ru"}, {"", strings.Repeat("x,", 10_000), "en"},
	} {
		if got := c.Of(x[0], x[1]).Lang; got != x[2] {
			t.Errorf("%q, %.20q: %s", x[0], x[1], got)
		}
	}
}

func TestWriting(t *testing.T) {
	c := load(t)
	en, ru := c.Of("en", ""), c.Of("ru", "")
	at := time.Date(2026, 11, 26, 9, 2, 0, 0, time.UTC)
	for got, want := range map[string]string{
		en.Length(0): "0 min", en.Length(31): "31 s", en.Length(27_720): "7 h 42 min", ru.Length(27_720): "7 ч 42 мин", en.Length(3599): "1 h 00 min",
		en.Date(at): "Thu 26 Nov 2026", ru.Date(at): "чт 26 ноя 2026",
		en.N("day.people", 1): "1 person", en.N("day.people", 12): "12 people",
		ru.N("day.people", 1): "1 человек", ru.N("day.people", 22): "22 человека", ru.N("day.people", 12): "12 человек",
		en.Number(12_345): "12,345", ru.Number(12_345): "12\u00a0345",
		en.Moment(at, at): "09:02", en.Moment(at, at.AddDate(0, 0, 1)): "Thu 26 Nov 2026 09:02",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
