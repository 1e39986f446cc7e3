package tabular

import (
	"bytes"
	"crypto/rand"
	"errors"
	"iter"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"
)

// sendWorkbook returns the workbook that rows become.
func sendWorkbook(t *testing.T, rows iter.Seq2[line, error]) *excelize.File {
	t.Helper()
	w := httptest.NewRecorder()
	if err := Send(w, Workbook, "x", rows); err != nil {
		t.Fatal(err)
	}
	if got := w.Header().Get("Content-Disposition"); got != `attachment; filename="x.xlsx"` {
		t.Error(got)
	}
	if got := w.Header().Get("Content-Type"); got != WorkbookType {
		t.Error(got)
	}
	file, err := excelize.OpenReader(bytes.NewReader(w.Body.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	return file
}

// Numbers are numbers, times are times, and a text is no formula.
func TestWorkbook(t *testing.T) {
	share, on := 0.25, true
	moment := time.Date(2024, 1, 15, 11, 0, 0, 0, time.FixedZone("", 3*3600))
	file := sendWorkbook(t, func(yield func(line, error) bool) {
		yield(line{Name: "=1+1", Kind: "Ж\x1b", Count: -7, Share: &share, On: &on, At: moment, Parts: []part{{"a"}}}, nil)
	})
	rows, err := file.GetRows(sheetName)
	want := [][]string{
		{"name", "kind", "count", "share", "on", "at", "last", "parts"},
		{"=1+1", "Ж\ufffd", "-7", "0.25", "TRUE", "2024-01-15 08:00:00", "", `[{"app":"a"}]`},
	}
	if err != nil || !slices.EqualFunc(rows, want, slices.Equal) {
		t.Errorf("%v %q", err, rows)
	}
	if formula, err := file.GetCellFormula(sheetName, "A2"); formula != "" || err != nil {
		t.Errorf("a text became the formula %q, %v", formula, err)
	}
	for place, want := range map[string]excelize.CellType{"A2": excelize.CellTypeInlineString, "C2": excelize.CellTypeUnset, "D2": excelize.CellTypeUnset, "E2": excelize.CellTypeBool} {
		if got, err := file.GetCellType(sheetName, place); got != want || err != nil {
			t.Errorf("%s has the type %v, want %v (%v)", place, got, want, err)
		}
	}
}

func TestWorkbookWithoutRows(t *testing.T) {
	rows, err := sendWorkbook(t, rows(0, nil)).GetRows(sheetName)
	if err != nil || len(rows) != 1 {
		t.Errorf("%v %v", rows, err)
	}
}

// long returns rows whose text fills a cell each.
func long(n int) iter.Seq2[line, error] {
	text := strings.Repeat("x", maxCellUnits)
	return func(yield func(line, error) bool) {
		for range n {
			if !yield(line{Name: text}, nil) {
				return
			}
		}
	}
}

// What is longer than a cell can be is seen to be cut, in whole characters.
func TestWorkbookCutsLongTexts(t *testing.T) {
	for text, want := range map[string]string{
		strings.Repeat("x", maxCellUnits):   strings.Repeat("x", maxCellUnits),
		strings.Repeat("x", maxCellUnits+1): strings.Repeat("x", maxCellUnits-1) + "…",
		strings.Repeat("Ж", maxCellUnits+9): strings.Repeat("Ж", maxCellUnits-1) + "…",
		strings.Repeat("😀", maxCellUnits):   strings.Repeat("😀", (maxCellUnits-1)/2) + "…",
	} {
		rows, err := sendWorkbook(t, each(line{Name: text})).GetRows(sheetName)
		if err != nil || len(rows) != 2 || rows[1][0] != want {
			t.Errorf("%.4q…: %v", text, err)
		}
	}
}

func each(l line) iter.Seq2[line, error] {
	return func(yield func(line, error) bool) { yield(l, nil) }
}

// pieces notes the largest piece that is sent at once.
type pieces struct {
	*httptest.ResponseRecorder
	largest int
}

func (p *pieces) Write(b []byte) (int, error) {
	p.largest = max(p.largest, len(b))
	return p.ResponseRecorder.Write(b)
}

// A workbook that is made whole is sent in pieces too: each has its time, and a slow
// reader is no reader that is gone.
func TestWorkbookIsSentInPieces(t *testing.T) {
	w := &pieces{ResponseRecorder: httptest.NewRecorder()}
	err := Send(w, Workbook, "x", func(yield func(line, error) bool) {
		for range 5000 {
			if !yield(line{Name: rand.Text() + rand.Text()}, nil) {
				return
			}
		}
	})
	if err != nil || w.Body.Len() < 2*chunkBytes || w.largest > chunkBytes {
		t.Errorf("%d bytes, %d of them at once: %v", w.Body.Len(), w.largest, err)
	}
}

// What goes wrong before a workbook is whole can still be answered with an error.
func TestWorkbookErrors(t *testing.T) {
	lost := errors.New("the database is away")
	for name, test := range map[string]struct {
		rows iter.Seq2[line, error]
		want error
	}{
		"lost":     {rows(10, lost), lost},
		"too many": {rows(MaxWorkbookRows+1, nil), ErrWorkbookTooLarge},
		"too long": {long(MaxWorkbookText/maxCellUnits + 1), ErrWorkbookTooLarge},
	} {
		w := httptest.NewRecorder()
		err := Send(w, Workbook, "x", test.rows)
		if !errors.Is(err, test.want) || errors.Is(err, ErrBrokenOff) || w.Body.Len() > 0 || strings.Contains(w.Header().Get("Content-Type"), "sheet") {
			t.Errorf("%s: %v after %d bytes", name, err, w.Body.Len())
		}
	}
}
