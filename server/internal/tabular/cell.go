package tabular

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"
	"time"
)

// columns are what a struct of type T has for a table: its fields with a JSON name,
// by these names and in their order. So a table has the same columns as the JSON list
// of the same type, but for fields tagged table:"-", which only hosts send.
type columns struct {
	names  []string
	fields [][]int
}

func columnsOf[T any]() columns {
	var c columns
	// Fields of embedded structs are in their place, as they are in JSON.
	for _, field := range reflect.VisibleFields(reflect.TypeFor[T]()) {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "" || name == "-" || field.Tag.Get("table") == "-" || !field.IsExported() {
			continue
		}
		c.fields = append(c.fields, field.Index)
		c.names = append(c.names, name)
	}
	return c
}

// cell is what stands in one place of a table: nil, a string, bool, int64, uint64,
// float64 or time.Time.
type cell any

// cells puts a row's cells into those given.
func (c columns) cells(row any, into []cell) error {
	v := reflect.ValueOf(row)
	for i, field := range c.fields {
		value, err := cellOf(v.FieldByIndex(field))
		if err != nil {
			return err
		}
		into[i] = value
	}
	return nil
}

func cellOf(v reflect.Value) (cell, error) {
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return nil, nil
		}
		v = v.Elem()
	}
	if v.Type() == reflect.TypeFor[time.Time]() {
		t, _ := reflect.TypeAssert[time.Time](v)
		return t.UTC(), nil
	}
	switch v.Kind() {
	case reflect.String:
		return v.String(), nil
	case reflect.Bool:
		return v.Bool(), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return v.Int(), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return v.Uint(), nil
	case reflect.Float32, reflect.Float64:
		if f := v.Float(); !math.IsNaN(f) && !math.IsInf(f, 0) {
			return f, nil
		}
		return nil, nil
	case reflect.Slice, reflect.Map:
		if v.Len() == 0 {
			return nil, nil
		}
	default:
	}
	// People read it, and nobody puts it into HTML: R&D and not R\u0026D.
	var list strings.Builder
	e := json.NewEncoder(&list)
	e.SetEscapeHTML(false)
	if err := e.Encode(v.Interface()); err != nil {
		return nil, fmt.Errorf("writing a list into a cell: %w", err)
	}
	return strings.TrimSuffix(list.String(), "\n"), nil
}
