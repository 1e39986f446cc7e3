package upload

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"activity-tracker.example/hostd/buffer"
	"activity-tracker.example/hostd/outbound"
	"activity-tracker.example/server/api"
)

const (
	// replyBytes and rejectionBytes bound a reply: so much, and so much more
	// for each event that was sent. A rejection has some 150 bytes, and one
	// that is read takes many times the least that it has on the wire.
	replyBytes     = 16 << 10
	rejectionBytes = 512
)

// RequestTimeout bounds one request from dialling to the last byte, whatever patience
// does: it is for the client.
const RequestTimeout = sendTimeout + 2*usualPatience

// verdict is what a failed request means for the batch.
type verdict struct {
	// tooMuch: a smaller batch may pass. code and message are why.
	tooMuch bool
	// timedOut: the server did not take or answer it in time.
	timedOut      bool
	code, message string
	// retryAfter is what the server asked for; zero: nothing.
	retryAfter time.Duration
}

// post sends a batch of these contents. Without an error, the reply is consistent.
func (u *Uploader) post(ctx context.Context, t outbound.Target, body []byte, n contents) (api.IngestReply, verdict, error) {
	var none api.IngestReply
	ctx, patience := await(ctx, u.patience)
	defer patience.end()
	req, err := t.Request(ctx, http.MethodPost, "api/events", nil)
	if err != nil {
		return none, verdict{}, err
	}
	patience.attach(req, body)
	req.Header.Set("Content-Encoding", "gzip")
	if fitsHeader(u.o.Hostname) {
		req.Header.Set(api.HostnameHeader, u.o.Hostname)
	}
	res, err := u.o.Client.Do(req)
	if err != nil {
		return none, timedOut(ctx), fmt.Errorf("reaching the server: %w", told(ctx, err))
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxReply(n)+1))
	if err != nil {
		return none, timedOut(ctx), fmt.Errorf("reading the server's reply: %w", told(ctx, err))
	}
	if res.StatusCode != http.StatusOK {
		v, err := u.judge(res, answer)
		return none, v, err
	}
	reply, err := parseReply(answer, n)
	return reply, verdict{}, err
}

// fitsHeader reports whether there is a name, and it can travel in a header line.
func fitsHeader(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' })
}

// timedOut is the verdict on a request without an answer.
func timedOut(ctx context.Context) verdict {
	return verdict{timedOut: errors.Is(context.Cause(ctx), errTimedOut)}
}

// told returns why a request failed: that it was given up, where it was.
func told(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); errors.Is(cause, errTimedOut) {
		return cause
	}
	return err
}

// judge reports what a status other than 200 means.
func (u *Uploader) judge(res *http.Response, answer []byte) (verdict, error) {
	code, detail := outbound.Refusal(answer)
	said := fmt.Sprintf("the server answered %d", res.StatusCode)
	if detail != "" {
		said += ": " + detail
	}
	switch s := res.StatusCode; {
	case s == http.StatusBadRequest, s == http.StatusUnprocessableEntity:
		if code == "" {
			code = api.CodeBadRequest
		}
		return verdict{tooMuch: true, code: string(code), message: said}, errors.New(said)
	case s == http.StatusRequestEntityTooLarge:
		return verdict{tooMuch: true, code: string(api.CodeTooLarge), message: said}, errors.New(said)
	case s == http.StatusUnauthorized, s == http.StatusForbidden:
		return verdict{}, fmt.Errorf("%w (%s)", errUnauthorized, said)
	case s >= 300 && s < 400:
		return verdict{}, fmt.Errorf("%s and points elsewhere; set server_url to where the server is", said)
	default:
		return verdict{retryAfter: outbound.RetryAfter(res.Header.Get("Retry-After"), u.o.Now())}, errors.New(said)
	}
}

// refusal decides by the contract's table what becomes of an event.
func refusal(it *buffer.Item, why api.Rejection) buffer.Refusal {
	r := buffer.Refusal{Place: it.Place, Code: string(why.Code), Message: why.Message}
	id := readIdentity(it.Event)
	switch api.RejectionFate(why.Code, id.Timestamp) {
	case api.FateLater:
		r.Later = buffer.Group{Code: r.Code, MachineID: id.MachineID}
		if it.Group.Code == r.Code { // it may be one that several accounts share
			r.Later = it.Group
		}
	case api.FateForget:
		r.Forget = true
	case api.FateNever:
	}
	return r
}

// identity is what a host has to know of an event that was refused.
type identity struct {
	MachineID string
	Timestamp time.Time // zero where it cannot be read
}

func readIdentity(event []byte) identity {
	var e struct {
		MachineID string `json:"machine_id"`
		Timestamp string `json:"timestamp"`
		Start     string `json:"start"`
	}
	if json.Unmarshal(event, &e) != nil {
		return identity{}
	}
	if e.Timestamp == "" {
		e.Timestamp = e.Start // it is a span
	}
	at, err := time.Parse(time.RFC3339, e.Timestamp)
	if err != nil {
		at = time.Time{}
	}
	return identity{MachineID: e.MachineID, Timestamp: at}
}
