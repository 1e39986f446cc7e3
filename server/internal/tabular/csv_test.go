package tabular

import (
	"bytes"
	"encoding/csv"
	"math"
	"strings"
	"testing"
	"time"
)

type kind string

type line struct {
	Name   string     `json:"name"`
	Kind   kind       `json:"kind,omitempty"`
	Count  int64      `json:"count"`
	Share  *float64   `json:"share,omitempty"`
	On     *bool      `json:"on,omitempty"`
	At     time.Time  `json:"at"`
	Last   *time.Time `json:"last"`
	Parts  []part     `json:"parts,omitempty"`
	Hidden string     `json:"-"`
	inner  string
}

type part struct {
	App string `json:"app"`
}

func write(t *testing.T, lines ...line) string {
	t.Helper()
	return writeAs(t, Plain, lines...)
}

func writeAs(t *testing.T, dialect Dialect, lines ...line) string {
	t.Helper()
	var out bytes.Buffer
	w := NewWriter[line](&out, dialect)
	for _, l := range lines {
		if err := w.Write(l); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Header(); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestWriter(t *testing.T) {
	share, on, nan := -0.0000001, false, math.NaN()
	moment := time.Date(2024, 1, 15, 11, 0, 0, 5e8, time.FixedZone("", 3*3600))
	const header = "name,kind,count,share,on,at,last,parts\r\n"
	if got := write(t); got != header {
		t.Errorf("without rows: %q", got)
	}
	got := write(t,
		line{Name: "=1+1", Kind: "-k", Count: -7, Share: &share, On: &on, At: moment, Last: &moment, Parts: []part{{"a,\"b\""}}, Hidden: "h", inner: "i"},
		line{Name: "a\r\nb,ä", Share: &nan})
	want := header +
		`'=1+1,'-k,-7,-0.0000001,false,2024-01-15T08:00:00.5Z,2024-01-15T08:00:00.5Z,"[{""app"":""a,\""b\""""}]"` + "\r\n" +
		"\"a\r\nb,ä\",,0,,,0001-01-01T00:00:00Z,,\r\n"
	if got != want {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
}

func TestWriterForExcel(t *testing.T) {
	share, moment := -0.5, time.Date(2024, 1, 15, 11, 0, 0, 5e8, time.FixedZone("", 3*3600))
	got := writeAs(t, ForExcel, line{Name: "Ж;\"=1", Kind: "a,=x", Count: -7, Share: &share, At: moment})
	want := "\ufeffname;kind;count;share;on;at;last;parts\r\n" +
		`"Ж;""'=1";a,'=x;-7;-0,5;;2024-01-15 08:00:00;;` + "\r\n"
	if got != want {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
}

func TestText(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "plain": "plain", "a=b": "a=b", "5 - 3": "5 - 3", "it's": "it's", "'=x": "'=x",
		"=x": "'=x", "+x": "'+x", "-x": "'-x", "@x": "'@x", "\tx": "'\tx", "\rx": "'\nx", "\nx": "'\nx", "＝x": "'＝x",
		"\x00=x": "'=x", "a;=x;b": "a;'=x;b", "a\t+x": "a\t'+x", "a\n-x": "a\n'-x", "a\r@x": "a\n'@x", ";;=": ";;'=",
		// As LibreOffice 7.4 was tried with, formulas evaluated and any separators.
		"\t=1+1": "'\t'=1+1", "\r=1+1": "'\n'=1+1", "\r\n=1+1": "'\n'=1+1",
		"\t\t=": "'\t'\t'=", "bad \xff": "bad \xff",
		`"=x`: `"=x`, `a;"=x`: `a;"'=x`, `a;""-x"`: `a;""'-x"`, `a;"b=x`: `a;"b=x`, "a\n\"@x": "a\n\"'@x",
		"a\x1b[2Jb\u009b2Jc\x7f\xff": "a\ufffd[2Jb\ufffd2Jc\ufffd\xff",
	} {
		if got := Text(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// Whatever a text holds, a reader gets it back with at most apostrophes added, and
// no cell begins a formula, whichever separator the file is read with.
func FuzzText(f *testing.F) {
	for _, s := range []string{"", "=1+1", "a;=b", "\r=x", "\"=x\"", "a\r\nb", "\\.", " =x", "\x00-", "\xff", "'", "；=x", "a;\"=x;", "a;\"\"=x", "\x1b]0;x\a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		raw := write(t, line{Name: s, Kind: "end"})
		rows, err := csv.NewReader(strings.NewReader(raw)).ReadAll()
		if err != nil || len(rows) != 2 || rows[1][1] != "end" {
			t.Fatalf("%q: %v %v", raw, rows, err)
		}
		cell := rows[1][0]
		if cell != Text(s) {
			t.Errorf("%q came back as %q", s, cell)
		}
		other := csv.NewReader(strings.NewReader(write(t, line{Kind: kind(s)})))
		other.Comma, other.LazyQuotes, other.FieldsPerRecord = ';', true, -1
		rows, err = other.ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			for _, piece := range row {
				if strings.IndexAny(piece, "=+-@\t\r") == 0 {
					t.Errorf("%q begins a formula in %q", piece, cell)
				}
			}
		}
		plain := visible(strings.NewReplacer("\r\n", "\n", "\r", "\n", "\x00", "").Replace(s))
		if strings.ContainsAny(cell, "\x1b\u009b\a") {
			t.Errorf("%q steers a terminal", cell)
		}
		if strings.ReplaceAll(cell, "'", "") != strings.ReplaceAll(plain, "'", "") {
			t.Errorf("%q lost something: %q", s, cell)
		}
	})
}
