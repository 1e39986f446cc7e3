package servertest

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"testing"

	"activity-tracker.example/server/api"
)

// streamBytes is how much of a stream a request reads, which does not end by itself.
const streamBytes = 16

// Reply is an answer, read whole.
type Reply struct {
	T      testing.TB
	What   string
	Status int
	Header http.Header
	Body   []byte
}

// Wants checks the status and reads the body into v, if any.
func (r Reply) Wants(status int, v any) {
	r.T.Helper()
	if r.Status != status {
		r.T.Fatalf("%s: status %d, want %d: %s", r.What, r.Status, status, r.Body)
	}
	if v == nil {
		return
	}
	if err := json.Unmarshal(r.Body, v); err != nil {
		r.T.Fatalf("%s: %v: %s", r.What, err, r.Body)
	}
}

// Refused checks a problem.
func (r Reply) Refused(status int, code api.Code) {
	r.T.Helper()
	var p api.Problem
	r.Wants(status, &p)
	if p.Code != code || p.Status != status || r.Header.Get("Content-Type") != "application/problem+json" {
		r.T.Errorf("%s: %+v %v, want code %s", r.What, p, r.Header, code)
	}
}

// Try sends a request; body is sent as it is where it is bytes, else as JSON.
func (b *Bench) Try(method, path, bearer string, body any, headers ...string) (Reply, error) {
	in, err := bodyReader(body)
	if err != nil {
		return Reply{}, err
	}
	req, err := http.NewRequestWithContext(b.T.Context(), method, b.URL+path, in)
	if err != nil {
		return Reply{}, err
	}
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	if _, asItIs := body.([]byte); body != nil && !asItIs {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := b.HTTP.Do(req)
	if err != nil {
		return Reply{}, err
	}
	defer func() { _ = res.Body.Close() }()
	var begin io.Reader = res.Body
	if res.Header.Get("Content-Type") == "text/event-stream" {
		begin = io.LimitReader(res.Body, streamBytes)
	}
	text, err := io.ReadAll(begin)
	r := Reply{T: b.T, What: method + " " + path, Status: res.StatusCode, Header: res.Header, Body: text}
	if err == nil && b.Described != nil {
		if err := b.Described.Check(r, method, path); err != nil {
			b.T.Errorf("%s is not as openapi.json describes it: %v", r.What, err)
		}
	}
	return r, err
}

func bodyReader(body any) (io.Reader, error) {
	switch v := body.(type) {
	case nil:
		return nil, nil
	case []byte:
		return bytes.NewReader(v), nil
	default:
		text, err := json.Marshal(v)
		return bytes.NewReader(text), err
	}
}

// Do sends a request as Try does; it must be answered.
func (b *Bench) Do(method, path, bearer string, body any, headers ...string) Reply {
	b.T.Helper()
	r, err := b.Try(method, path, bearer, body, headers...)
	if err != nil {
		b.T.Fatal(err)
	}
	return r
}

// Send reports events, which must be answered with 200.
func (b *Bench) Send(credential string, events ...api.Event) api.IngestReply {
	b.T.Helper()
	var got api.IngestReply
	b.Do(http.MethodPost, "/api/events", credential, api.EventBatch{Events: events}).Wants(http.StatusOK, &got)
	if got.Accepted+got.Duplicates+len(got.Rejected) != len(events) {
		b.T.Fatalf("%d events sent, reply %+v", len(events), got)
	}
	return got
}

// Summary asks for a machine's day.
func (b *Bench) Summary(token, machine, query string) api.Summary {
	b.T.Helper()
	var s api.Summary
	b.Do(http.MethodGet, "/api/activity/"+url.PathEscape(machine)+"/summary?"+query, token, nil).Wants(http.StatusOK, &s)
	return s
}

// Table reads a CSV reply.
func (r Reply) Table() [][]string {
	r.T.Helper()
	r.Wants(http.StatusOK, nil)
	rows, err := csv.NewReader(bytes.NewReader(r.Body)).ReadAll()
	if err != nil {
		r.T.Fatalf("%s: %v", r.What, err)
	}
	return rows
}
