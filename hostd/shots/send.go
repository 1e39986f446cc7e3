package shots

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"activity-tracker.example/hostd/outbound"
	"activity-tracker.example/server/api"
)

const (
	// SendTimeout bounds one request: 512 KiB over a line of 64 kbit/s take 64 s.
	SendTimeout = 2 * time.Minute
	// firstPause and longestPause are between two tries.
	firstPause   = 15 * time.Second
	longestPause = time.Hour
	// maxReplyBytes bounds what is read of an answer.
	maxReplyBytes = 4 << 10
)

// Codes of problems that decide what becomes of a picture.
const (
	codeOff     api.Code = "screenshots_off"
	codeForeign api.Code = "foreign_machine"
	codeErased  api.Code = "erased"
)

// verdict is what becomes of a picture after an answer.
type verdict int

const (
	sent      verdict = iota
	refused           // never to be sent again
	forgotten         // likewise, of somebody who was erased
	later             // of this account none now
	wait              // nothing now
)

// hold is for how long the pictures of an account wait that the server does not take from
// this host yet: until its first record is there, or an administrator has done something.
type hold struct {
	until time.Time
	pause time.Duration
}

// longer returns the hold that follows one that did not help.
func (h hold) longer(now time.Time) hold {
	pause := min(max(2*h.pause, firstPause), longestPause)
	return hold{now.Add(pause), pause}
}

// Send sends what waits until ctx ends, the oldest first.
func (k *Keeper) Send(ctx context.Context) error {
	held := map[string]hold{}
	for pause := firstPause; ; {
		next := longestPause
		asked, err := k.sendAll(ctx, held)
		if err == nil {
			pause = firstPause
			for who, h := range held {
				left := h.until.Sub(k.o.Now())
				if left < -longestPause { // its pictures are gone
					delete(held, who)
					continue
				}
				next = min(next, max(left, firstPause))
			}
		} else {
			k.failed(ctx, err)
			next = pause/2 + time.Duration(k.o.Random()*float64(pause/2)) // hosts must not come back together
			if asked > 0 {
				next = asked + time.Duration(k.o.Random()*float64(min(asked, firstPause)))
			}
			pause = min(2*pause, longestPause)
		}
		woken, err := k.rest(ctx, next, err == nil)
		if err != nil {
			return nil //nolint:nilerr // it is to stop
		}
		if woken { // by enrolling: it is another server, or another credential
			pause, held = firstPause, map[string]hold{}
		}
	}
}

// rest waits; a new picture ends it only where nothing went wrong, and enrolling always.
// An error is that ctx has ended.
func (k *Keeper) rest(ctx context.Context, d time.Duration, wakes bool) (enrolled bool, err error) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	var fresh chan struct{}
	if wakes {
		fresh = k.fresh
	}
	select {
	case <-ctx.Done():
		return false, ctx.Err()
	case <-k.enrolled:
		return true, nil
	case <-fresh:
	case <-timer.C:
	}
	return false, nil
}

func (k *Keeper) failed(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.status.LastError == "" {
		k.o.Log.Warn("screenshots wait for the server", "error", err)
	}
	k.status.LastError = err.Error()
}

// sendAll sends what waits, until the server asks to wait or is away. asked is for how long
// it asked to be left alone.
func (k *Keeper) sendAll(ctx context.Context, held map[string]hold) (asked time.Duration, err error) {
	target, enrolled := k.o.Target()
	if !enrolled {
		return 0, nil
	}
	for _, e := range k.waiting() {
		if k.o.Now().Before(held[e.who].until) {
			continue
		}
		shot, err := k.read(e)
		if err != nil {
			continue
		}
		v, asked, err := k.post(ctx, target, shot)
		switch v {
		case wait:
			return asked, err
		case later:
			held[e.who] = held[e.who].longer(k.o.Now())
			k.failed(ctx, err)
		case sent, refused, forgotten:
			delete(held, e.who)
			k.settle(ctx, e, v, err)
		}
	}
	return 0, nil
}

// waiting are the pictures that are not too old, the oldest first.
func (k *Keeper) waiting() []entry {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.spool.bound(k.o.Now())
	return append([]entry{}, k.spool.list...)
}

func (k *Keeper) read(e entry) (Shot, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	shot, err := k.spool.read(e.name)
	if err != nil {
		k.spool.done(e)
		k.spool.dropped++
	}
	return shot, err
}

func (k *Keeper) settle(ctx context.Context, e entry, v verdict, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.spool.done(e)
	switch v {
	case forgotten:
		k.status.Forgotten++
	case refused:
		if k.status.Refused++; ctx.Err() == nil {
			k.o.Log.Warn("the server does not take a screenshot", "error", err)
		}
		k.status.LastError = err.Error()
	case sent, later, wait:
		k.status.Sent++
		k.status.LastSent, k.status.LastError = k.o.Now(), ""
	}
}

// post sends one picture, and returns what becomes of it.
func (k *Keeper) post(ctx context.Context, t outbound.Target, shot Shot) (verdict, time.Duration, error) {
	req, err := t.Request(ctx, http.MethodPost, "api/screenshots", shot.JPEG)
	if err != nil {
		return wait, 0, err
	}
	req.URL.RawQuery = url.Values{
		"machine_id": {shot.MachineID}, "taken_at": {shot.TakenAt.Format(time.RFC3339)}, "kind": {string(shot.Kind)},
	}.Encode()
	req.Header.Set("Content-Type", "image/jpeg")
	res, err := k.o.Client.Do(req)
	if err != nil {
		return wait, 0, fmt.Errorf("sending a screenshot: %w", withoutQuery(err))
	}
	defer func() { _ = res.Body.Close() }() // only read
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxReplyBytes))
	if err != nil {
		return wait, 0, fmt.Errorf("reading the server's answer to a screenshot: %w", err)
	}
	return judge(res, answer, k.o.Now())
}

// withoutQuery takes the address from an error: it names an account.
func withoutQuery(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// judge reports what an answer means for a picture.
func judge(res *http.Response, answer []byte, now time.Time) (verdict, time.Duration, error) {
	code, detail := outbound.Refusal(answer)
	err := fmt.Errorf("the server answers %d to a screenshot", res.StatusCode)
	if detail != "" {
		err = fmt.Errorf("%w: %s", err, detail)
	}
	switch res.StatusCode {
	case http.StatusOK, http.StatusCreated:
		var reply struct {
			ID string `json:"id"`
		}
		if json.Unmarshal(answer, &reply) != nil || reply.ID == "" {
			return wait, 0, errors.New("the server's reply to a screenshot makes no sense; is server_url right?")
		}
		return sent, 0, nil
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity:
		return refused, 0, err
	case http.StatusGone:
		if code == codeErased {
			return forgotten, 0, nil
		}
	case http.StatusForbidden:
		switch code {
		case codeOff:
			return refused, 0, err
		case codeForeign:
			return later, 0, err
		default:
		}
	}
	return wait, outbound.RetryAfter(res.Header.Get("Retry-After"), now), err
}
