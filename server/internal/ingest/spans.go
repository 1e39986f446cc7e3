package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"sort"
	"time"

	"activity-tracker.example/server/api"
)

// longestSpan is how long a span of not_collected is at most.
const longestSpan = api.MaxNotCollectedHours * time.Hour

// errTooManySpans is a body with more spans than there may be.
var errTooManySpans = errors.New("too many spans")

// spans are the good ones of not_collected, and where they came from.
type spans struct {
	// given is set where the body has the field.
	given    bool
	sent     int
	list     []api.NotCollected
	index    []int
	rejected []api.Rejection
}

// sentSpan is a span whose times are validated apart, as an event's is.
type sentSpan struct {
	api.NotCollected
	Start *string `json:"start"`
	End   *string `json:"end"`
}

// decode reads the spans of a body and validates each alone.
func (s *spans) decode(d *json.Decoder, now time.Time) error {
	if s.given {
		return errNoBatch
	}
	s.given, s.rejected = true, []api.Rejection{}
	if err := expect(d, '['); err != nil {
		return err
	}
	for d.More() {
		if s.sent == api.MaxNotCollected {
			return errTooManySpans
		}
		var one *sentSpan
		err := d.Decode(&one)
		var wrongType *json.UnmarshalTypeError
		switch {
		case errors.As(err, &wrongType):
			s.reject(&violation{api.CodeBadEvent, "not_collected: a field of the wrong type"})
		case err != nil:
			return err
		case one == nil:
			s.reject(&violation{api.CodeBadEvent, "not an object"})
		default:
			s.validate(one, now)
		}
		s.sent++
	}
	return expect(d, ']')
}

func (s *spans) validate(one *sentSpan, now time.Time) {
	start, bad := validateTimestamp(one.Start, now)
	end := start
	if bad == nil {
		end, bad = validateTimestamp(one.End, now)
	}
	if bad == nil {
		bad = validateMachineID(one.MachineID)
	}
	switch known := one.Reason == api.NotCollectedHours || one.Reason == api.NotCollectedPause; {
	case bad != nil:
	case !known:
		bad = &violation{api.CodeBadEvent, "reason: want hours or pause"}
	case !end.After(start) || end.Sub(start) > longestSpan:
		bad = &violation{api.CodeOutOfRange, "end: want after start, by a day at most"}
	}
	if bad != nil {
		s.reject(bad)
		return
	}
	one.NotCollected.Start, one.NotCollected.End = start, end
	s.list, s.index = append(s.list, one.NotCollected), append(s.index, s.sent)
}

func (s *spans) reject(f *violation) {
	s.rejected = append(s.rejected, api.Rejection{Index: s.sent, Code: f.code, Message: f.message})
}

// keepSpans stores the good spans and returns what is answered of all; nil where none
// were sent.
func (in *Ingest) keepSpans(ctx context.Context, host int64, hostID string, s *spans) (*api.NotCollectedReply, error) {
	if !s.given {
		return nil, nil
	}
	reply := &api.NotCollectedReply{Rejected: s.rejected}
	if len(s.list) == 0 {
		return reply, nil
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	written, err := in.notCollected.Write(ctx, host, s.list)
	if err != nil {
		return nil, err
	}
	reply.Accepted, reply.Duplicates = written.Accepted, written.Duplicates
	for _, i := range written.Foreign {
		reply.Rejected = append(reply.Rejected, api.Rejection{Index: s.index[i], Code: api.CodeForeignMachine, Message: foreignMessage(hostID)})
	}
	for _, i := range written.Erased {
		reply.Rejected = append(reply.Rejected, api.Rejection{Index: s.index[i], Code: api.CodeErased, Message: erasedMessage})
	}
	for _, i := range written.Unknown {
		reply.Rejected = append(reply.Rejected, api.Rejection{Index: s.index[i], Code: api.CodeUnknownMachine, Message: "no event of this machine_id has come yet"})
	}
	sort.Slice(reply.Rejected, func(i, j int) bool { return reply.Rejected[i].Index < reply.Rejected[j].Index })
	return reply, nil
}
