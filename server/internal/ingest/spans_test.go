package ingest

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"activity-tracker.example/server/api"
)

// Each span is validated alone, and both ways to read a body find the same.
func TestSpans(t *testing.T) {
	span := func(start, end, more string) string {
		return fmt.Sprintf(`{"start":"2026-05-%s:00:00Z","end":"2026-05-%s:00:00Z"%s}`, start, end, more)
	}
	const rest = `,"machine_id":"m","reason":"hours"`
	for _, test := range []struct {
		span string
		want api.Code // empty: good
	}{
		{span("03T10", "03T11", rest), ""},
		{span("03T10", "04T10", rest+`,"more":{}`), ""},
		{span("03T10", "03T11", `,"machine_id":"m","reason":"pause"`), ""},
		{span("03T10", "03T11", `,"machine_id":"m","reason":"sleep"`), api.CodeBadEvent},
		{span("03T10", "03T11", `,"machine_id":"m"`), api.CodeBadEvent},
		{span("03T10", "03T11", `,"machine_id":"m","reason":1`), api.CodeBadEvent},
		{span("03T10", "03T11", `,"reason":"hours"`), api.CodeBadMachineID},
		{span("03T10", "03T11", `,"machine_id":"a\u0000","reason":"hours"`), api.CodeBadMachineID},
		{span("03T10", "03T10", rest), api.CodeOutOfRange},
		{span("03T11", "03T10", rest), api.CodeOutOfRange},
		{span("03T10", "04T11", rest), api.CodeOutOfRange},
		{span("03T10", "06T11", rest), api.CodeBadTimestamp},
		{span("06T10", "06T11", rest), api.CodeBadTimestamp},
		{`{"start":5,"end":"2026-05-03T11:00:00Z"` + rest + `}`, api.CodeBadEvent},
		{`{"machine_id":"m","reason":"hours"}`, api.CodeBadTimestamp},
		{`null`, api.CodeBadEvent},
		{`7`, api.CodeBadEvent},
	} {
		body := `{"events":[` + event("") + `],"not_collected":[` + span("01T00", "01T01", rest) + `,` + test.span + `]}`
		slow, err := decodeBatch(strings.NewReader(body), clock)
		if err != nil {
			t.Fatalf("%s: %v", test.span, err)
		}
		if fast, ok := new(decoders).decodeFast(body, clock); !ok || fmt.Sprintf("%+v", fast.spans) != fmt.Sprintf("%+v", slow.spans) {
			t.Errorf("%s: fast %v, slow %+v", test.span, ok, slow.spans)
		}
		switch s := slow.spans; {
		case s.sent != 2 || len(slow.events) != 1 || len(s.list)+len(s.rejected) != 2:
			t.Errorf("%s: %+v", test.span, s)
		case test.want == "" && len(s.rejected) > 0, test.want != "" && (len(s.rejected) != 1 || s.rejected[0].Code != test.want || s.rejected[0].Index != 1):
			t.Errorf("%s: %+v, want %q", test.span, s.rejected, test.want)
		}
	}
}

func TestSpansOfABadBody(t *testing.T) {
	one := `{"start":"2026-05-03T10:00:00Z","end":"2026-05-03T11:00:00Z","machine_id":"m","reason":"hours"}`
	most := strings.Repeat(one+",", api.MaxNotCollected-1) + one
	for body, want := range map[string]error{
		`{"events":[],"not_collected":[` + most + `]}`:                   nil,
		`{"not_collected":[` + one + `],"events":[]}`:                    nil,
		`{"events":[],"not_collected":[` + most + `,` + one + `]}`:       errTooManySpans,
		`{"events":[],"not_collected":[` + one + `],"not_collected":[]}`: errNoBatch,
		`{"events":[],"not_collected":{}}`:                               errNoBatch,
		`{"events":[],"not_collected":null}`:                             errNoBatch,
		`{"not_collected":[]}`:                                           errNoBatch,
	} {
		b, err := new(decoders).decode(body, nil, clock)
		if !errors.Is(err, want) || err == nil && len(b.spans.list) == 0 {
			t.Errorf("%.80s: %v, want %v", body, err, want)
		}
	}
}
