package ingest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"time"

	"activity-tracker.example/server/api"
)

// Errors of a whole body.
var (
	errTooMany  = errors.New("too many events")
	errNoBatch  = errors.New(`want an object {"events": [...]}`)
	errTrailing = errors.New("something follows the batch")
)

// batch is a body that was read: the good events, and where they came from.
type batch struct {
	// sent is how many events the body has.
	sent   int
	events []api.Event
	// likely is about how many there will be.
	likely int
	// index is each good event's place in the body.
	index    []int
	rejected []api.Rejection
	spans    spans
}

// sentEvent is an event whose timestamp is validated apart, so that a bad one has
// its own code.
type sentEvent struct {
	api.Event
	Timestamp *string `json:"timestamp"`
}

// decodeBatch reads a body event by event and validates each alone. It stops at the
// first error that concerns the whole body, and never holds more than
// api.MaxBatchEvents.
func decodeBatch(r io.Reader, now time.Time) (*batch, error) {
	d := json.NewDecoder(r)
	if err := expect(d, '{'); err != nil {
		return nil, err
	}
	var b *batch
	var told spans
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		if key == "not_collected" {
			if err := told.decode(d, now); err != nil {
				return nil, err
			}
			continue
		}
		if key != "events" {
			var ignored json.RawMessage
			if err := d.Decode(&ignored); err != nil {
				return nil, err
			}
			continue
		}
		if b != nil {
			return nil, errNoBatch
		}
		b = &batch{rejected: []api.Rejection{}}
		if err := b.decodeEvents(d, now); err != nil {
			return nil, err
		}
	}
	if err := expect(d, '}'); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		if err == nil {
			err = errTrailing
		}
		return nil, err
	}
	if b == nil {
		return nil, errNoBatch
	}
	b.spans = told
	return b, nil
}

func expect(d *json.Decoder, want json.Delim) error {
	token, err := d.Token()
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	if err == nil && token != want {
		return errNoBatch
	}
	return err
}

func (b *batch) decodeEvents(d *json.Decoder, now time.Time) error {
	if err := expect(d, '['); err != nil {
		return err
	}
	for d.More() {
		if b.sent == api.MaxBatchEvents {
			return errTooMany
		}
		// A pointer to a pointer distinguishes null from an object.
		var e *sentEvent
		err := d.Decode(&e)
		var wrongType *json.UnmarshalTypeError
		switch {
		case errors.As(err, &wrongType):
			b.reject(typeViolation(wrongType))
		case err != nil:
			return err
		case e == nil:
			b.reject(violation{api.CodeBadEvent, "not an object"})
		default:
			*b.next() = e.Event
			b.validate(e.Timestamp, now)
		}
		b.sent++
	}
	return expect(d, ']')
}

// next returns where the next event is read to: the last of b.events, until validate
// takes it out.
func (b *batch) next() *api.Event {
	if b.events == nil {
		b.events, b.index = make([]api.Event, 0, b.likely), make([]int, 0, b.likely)
	}
	b.events = append(b.events, api.Event{})
	return &b.events[len(b.events)-1]
}

// validate validates the event that was read last, and its timestamp as it was sent.
func (b *batch) validate(timestamp *string, now time.Time) {
	last := len(b.events) - 1
	e := &b.events[last]
	ts, f := validateTimestamp(timestamp, now)
	if f == nil {
		f = validateEvent(e)
	}
	if f != nil {
		b.events = b.events[:last]
		b.reject(*f)
		return
	}
	e.Timestamp = ts
	b.index = append(b.index, b.sent)
}

func (b *batch) reject(f violation) {
	b.rejected = append(b.rejected, api.Rejection{Index: b.sent, Code: f.code, Message: f.message})
}

// typeViolation returns what a field of the wrong type makes of its event.
func typeViolation(e *json.UnmarshalTypeError) violation {
	// encoding/json names the embedded api.Event as well.
	field := strings.TrimPrefix(e.Field, "Event.")
	switch field {
	case "":
		return violation{api.CodeBadEvent, "not an object"}
	case "timestamp":
		return violation{api.CodeBadTimestamp, "timestamp: want an RFC 3339 time"}
	case "machine_id":
		return violation{api.CodeBadMachineID, "machine_id: want text"}
	}
	literal, isNumber := strings.CutPrefix(e.Value, "number ")
	whole := !strings.ContainsAny(literal, ".eE")
	if isNumber && (whole && e.Type.Kind() == reflect.Int64 || e.Type.Kind() == reflect.Float64) {
		return violation{api.CodeOutOfRange, field + ": too large"}
	}
	kind, _, _ := strings.Cut(e.Value, " ")
	return violation{api.CodeBadEvent, fmt.Sprintf("%s: %s where %s is wanted", field, kind, typeName(e.Type))}
}

func typeName(t reflect.Type) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.Int64:
		return "an integer"
	case reflect.Float64:
		return "a number"
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "text"
	case reflect.Slice:
		return "a list"
	default:
		return "an object"
	}
}

// whatIsWrong returns what a caller is to know about a body without repeating any of it.
func whatIsWrong(err error) string {
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax):
		return fmt.Sprintf("no JSON, near byte %d.", syntax.Offset)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return "it ends too early."
	case errors.Is(err, errNoBatch), errors.Is(err, errTrailing):
		return err.Error() + "."
	}
	return "it can't be read."
}
