package upload

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"

	"activity-tracker.example/hostd/buffer"
	"activity-tracker.example/hostd/outbound"
	"activity-tracker.example/hostd/text"
	"activity-tracker.example/server/api"
)

// contents are how many events and how many spans of not_collected a request has.
type contents struct{ events, spans int }

// CodeOlderServer is under which spans wait that the server knows nothing of.
const CodeOlderServer = "older_server"

// isSpan reports whether what waits is a span of not_collected: its start stands first, as
// api.NotCollected has it, and an event has none.
func isSpan(it *buffer.Item) bool { return bytes.HasPrefix(it.Event, []byte(`{"start":`)) }

// encode makes the body of POST /api/events out of events and spans that are JSON already:
// each in their order.
func encode(items []buffer.Item) ([]byte, contents, error) {
	var body bytes.Buffer
	var n contents
	z := gzip.NewWriter(&body)
	var failed error
	write := func(parts ...[]byte) {
		for _, p := range parts {
			if _, err := z.Write(p); err != nil {
				failed = err
			}
		}
	}
	list := func(begin string, spans bool) (count int) {
		for i := range items {
			if isSpan(&items[i]) != spans {
				continue
			}
			if count++; count > 1 {
				begin = ","
			}
			write([]byte(begin), items[i].Event)
		}
		return count
	}
	write([]byte(`{"events":[`))
	n.events = list("", false)
	write([]byte("]"))
	if n.spans = list(`,"not_collected":[`, true); n.spans > 0 {
		write([]byte("]"))
	}
	write([]byte("}"))
	if err := errors.Join(failed, z.Close()); err != nil {
		return nil, n, fmt.Errorf("compressing a batch: %w", err)
	}
	return body.Bytes(), n, nil
}

// maxReply is how many bytes an answer to so much has at most.
func maxReply(n contents) int64 { return replyBytes + int64(n.events+n.spans)*rejectionBytes }

// parseReply reads the answer to a request. One that does not add up is an error: whoever
// sent it, it is no receipt.
func parseReply(answer []byte, n contents) (api.IngestReply, error) {
	var r api.IngestReply
	fail := func(what string) (api.IngestReply, error) {
		return api.IngestReply{}, fmt.Errorf("the server's reply makes no sense (%s); is server_url right?", what)
	}
	if int64(len(answer)) > maxReply(n) {
		return fail("too long")
	}
	if err := json.Unmarshal(answer, &r); err != nil {
		return fail("no JSON of the right form")
	}
	if what := account(r.Accepted, r.Duplicates, r.Rejected, n.events); what != "" {
		return fail(what)
	}
	switch s := r.NotCollected; {
	case n.spans == 0:
		r.NotCollected = nil
	case s == nil: // it is older than they are
	default:
		if what := account(s.Accepted, s.Duplicates, s.Rejected, n.spans); what != "" {
			return fail(what)
		}
	}
	return r, nil
}

// account returns what is wrong with an answer to n events, if anything is, and makes what
// it says of them fit to be shown.
func account(accepted, duplicates int, rejected []api.Rejection, n int) string {
	if accepted < 0 || accepted > n || duplicates < 0 || duplicates > n || len(rejected) > n || accepted+duplicates+len(rejected) != n {
		return fmt.Sprintf("it does not account for the %d events that were sent", n)
	}
	named := make([]bool, n)
	for i := range rejected {
		x := &rejected[i]
		if x.Index < 0 || x.Index >= n || named[x.Index] {
			return "an index that was not sent, or twice"
		}
		named[x.Index] = true
		if !outbound.ValidCode(x.Code) {
			x.Code = api.CodeBadEvent
		}
		x.Message = text.Line(x.Message, outbound.MaxDetail)
	}
	return ""
}

// settle returns what the server has, and what becomes of the rest.
func settle(items []buffer.Item, reply api.IngestReply) (done []buffer.Place, refused []buffer.Refusal) {
	events, spans := map[int]api.Rejection{}, map[int]api.Rejection{}
	for _, r := range reply.Rejected {
		events[r.Index] = r
	}
	if reply.NotCollected != nil {
		for _, r := range reply.NotCollected.Rejected {
			spans[r.Index] = r
		}
	}
	var n contents
	for i := range items {
		why, place := events, &n.events
		if isSpan(&items[i]) {
			why, place = spans, &n.spans
		}
		r, no := why[*place]
		*place++
		if isSpan(&items[i]) && reply.NotCollected == nil {
			r, no = api.Rejection{Code: CodeOlderServer, Message: "the server is older than spans of not_collected are"}, true
		}
		if no {
			refused = append(refused, refusal(&items[i], r))
		} else {
			done = append(done, items[i].Place)
		}
	}
	return done, refused
}
