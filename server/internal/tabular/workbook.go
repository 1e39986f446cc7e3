package tabular

import (
	"bufio"
	"fmt"
	"io"
	"iter"
	"time"
	"unicode/utf16"

	"github.com/xuri/excelize/v2"
)

const (
	// MaxWorkbookRows bounds a workbook, which is made whole before any of it is
	// sent: two months of minutes, some 100 MB of temporary files.
	MaxWorkbookRows = 100_000
	// MaxWorkbookText bounds all texts of a workbook together, in bytes: twice what
	// that many usual rows have. What a host reports may be 300 KB a minute, and a
	// workbook is held in memory, compressed, until it is sent.
	MaxWorkbookText = 64 << 20
	// maxCellUnits is how long a text in a cell may be, in UTF-16 code units.
	maxCellUnits = excelize.TotalCellChars
	// workbookTime is how a workbook shows times, in UTC.
	workbookTime = "yyyy-mm-dd hh:mm:ss"
	// columnWidth is that of every column, in characters: a time fits.
	columnWidth = 20
	// sheetName is the only sheet's, as excelize calls it.
	sheetName = "Sheet1"
)

// ErrWorkbookTooLarge is returned for a table with more rows, or with more text, than
// a workbook may have.
var ErrWorkbookTooLarge = fmt.Errorf("more than %d rows or %d bytes of text", MaxWorkbookRows, MaxWorkbookText)

// writeWorkbook writes rows as a workbook of Office Open XML. Texts are texts there,
// whatever they begin with: a cell is a formula only where it is stored as one.
func writeWorkbook[T any](w *bufio.Writer, rows iter.Seq2[T, error]) (err error) {
	file := excelize.NewFile()
	// It closes temporary files, which the system removes where this fails.
	defer func() { _ = file.Close() }()
	sheet, err := newSheet(file, columnsOf[T]())
	if err != nil {
		return fmt.Errorf("beginning a workbook: %w", err)
	}
	for row, err := range rows {
		if err != nil {
			return err
		}
		if err := sheet.add(row); err != nil {
			return fmt.Errorf("adding a row to a workbook: %w", err)
		}
		if sheet.rows > MaxWorkbookRows || sheet.text > MaxWorkbookText {
			return ErrWorkbookTooLarge
		}
	}
	if err := sheet.stream.Flush(); err != nil {
		return fmt.Errorf("finishing a workbook: %w", err)
	}
	// Writing is sending: its errors are about the reader.
	if _, err := file.WriteTo(struct{ io.Writer }{w}); err != nil {
		return err
	}
	return w.Flush()
}

// sheet is the sheet of a workbook that is being written.
type sheet struct {
	stream  *excelize.StreamWriter
	columns columns
	cells   []cell
	values  []any
	// times is the style of times.
	times int
	// rows is how many there are so far, text how long their texts are, in bytes.
	rows, text int
}

// newSheet begins a sheet with a header that stays in view.
func newSheet(file *excelize.File, c columns) (*sheet, error) {
	timeFormat := workbookTime
	times, err := file.NewStyle(&excelize.Style{CustomNumFmt: &timeFormat})
	if err != nil {
		return nil, err
	}
	bold, err := file.NewStyle(&excelize.Style{Font: &excelize.Font{Bold: true}})
	if err != nil {
		return nil, err
	}
	stream, err := file.NewStreamWriter(sheetName)
	if err != nil {
		return nil, err
	}
	s := &sheet{stream: stream, columns: c, times: times, cells: make([]cell, len(c.names)), values: make([]any, len(c.names))}
	if err := stream.SetColWidth(1, len(c.names), columnWidth); err != nil {
		return nil, err
	}
	if err := stream.SetPanes(&excelize.Panes{Freeze: true, YSplit: 1, TopLeftCell: "A2", ActivePane: "bottomLeft"}); err != nil {
		return nil, err
	}
	for i, name := range c.names {
		s.values[i] = excelize.Cell{StyleID: bold, Value: name}
	}
	return s, stream.SetRow("A1", s.values)
}

func (s *sheet) add(row any) error {
	if err := s.columns.cells(row, s.cells); err != nil {
		return err
	}
	for i, c := range s.cells {
		switch v := c.(type) {
		case string:
			v = cut(visible(v))
			s.values[i], s.text = v, s.text+len(v)
		case time.Time:
			s.values[i] = excelize.Cell{StyleID: s.times, Value: v}
		default:
			s.values[i] = v
		}
	}
	s.rows++
	place, err := excelize.CoordinatesToCellName(1, s.rows+1)
	if err != nil {
		return err
	}
	return s.stream.SetRow(place, s.values)
}

// cut shortens a text that is longer than a cell can be, and ends it with an ellipsis:
// what is cut silently looks whole.
func cut(text string) string {
	const ellipsis = "…"
	if len(text) <= maxCellUnits {
		return text
	}
	units, end := 0, 0
	for i, c := range text {
		if units < maxCellUnits {
			end = i
		}
		if units += utf16.RuneLen(c); units > maxCellUnits {
			return text[:end] + ellipsis
		}
	}
	return text
}
