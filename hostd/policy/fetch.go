package policy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"time"

	"activity-tracker.example/hostd/outbound"
	rules "activity-tracker.example/server/api/policy"
)

const (
	// FetchTimeout bounds one question, for the client.
	FetchTimeout = 30 * time.Second
	// firstTimeout bounds the question at the start, for which everything waits.
	firstTimeout = 5 * time.Second
	// leastPeriod bounds how often the server is asked.
	leastPeriod = time.Minute
	// askAgain is when a host that waits for its first policy asks again.
	askAgain = 15 * time.Second
)

// errUnreadable is why the policy that is held stays.
var errUnreadable = errors.New("the server's policy cannot be read, the last one holds on")

// AskFirst asks a server of which nothing is known yet, for a few seconds: before it is
// decided who is measured, so that an upgrade to a version with policies ends no helper.
func (p *Policy) AskFirst() {
	if !p.waits() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), firstTimeout)
	defer cancel()
	_ = p.fetch(ctx) // Problem returns why not, and Follow asks again
}

// Follow asks the server for its policies once a period, and when it is woken, until ctx
// ends. At the start it asks at once if it has none yet, and else within a period: a power
// cut may start many hosts together.
func (p *Policy) Follow(ctx context.Context, period time.Duration) error {
	period = max(period, leastPeriod)
	wait := rand.N(period) //nolint:gosec // spreads load, keeps no secret
	if p.waits() {
		wait = 0
	}
	for {
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-p.wake:
		case <-timer.C:
		}
		timer.Stop()
		wait = period
		if p.fetch(ctx) != nil && p.waits() {
			wait = askAgain
		}
	}
}

// Wake has the server asked now: this host has enrolled.
func (p *Policy) Wake() {
	select {
	case p.wake <- struct{}{}:
	default: // it will be
	}
}

// Told notes which revision of its policies the server has; another than the one that
// holds is asked for. One that was not taken is asked for again a minute later.
func (p *Policy) Told(revision int64) {
	p.mu.Lock()
	reply, has := p.theirs()
	now := p.o.Now()
	ask := (!has || reply.Revision != revision) && (p.toldOf != revision || now.Sub(p.toldAt).Abs() >= leastPeriod)
	if ask {
		p.toldOf, p.toldAt = revision, now
	}
	p.mu.Unlock()
	if ask {
		p.Wake()
	}
}

// fetch asks once, and takes what is new.
func (p *Policy) fetch(ctx context.Context) error {
	target, enrolled := p.o.Target()
	var err error
	if enrolled && p.isNew(target.URL) {
		first, cancel := context.WithTimeout(ctx, firstTimeout)
		err = p.ask(first, target)
		cancel()
		p.serve(target.URL, true)
	} else {
		p.serve(target.URL, enrolled)
		if !enrolled {
			return nil
		}
		err = p.ask(ctx, target)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.trouble = err; err == nil {
		p.answered = p.o.Now()
	}
	return err
}

// isNew reports whether this host has just enrolled with a server of which nothing is
// known. What held before holds on for the few seconds in which it is asked: a helper that
// ended and came back would miss what is typed meanwhile.
func (p *Policy) isNew(server string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.server != server && (p.held == nil || p.held.Server != server)
}

func (p *Policy) ask(ctx context.Context, t outbound.Target) error {
	req, err := t.Request(ctx, http.MethodGet, "api/policy", nil)
	if err != nil {
		return err
	}
	if tag := p.tag(); tag != "" {
		req.Header.Set("If-None-Match", tag)
	}
	res, err := p.o.Client.Do(p.introduce(req))
	if err != nil {
		return fmt.Errorf("asking the server for its policy: %w", err)
	}
	defer func() { _ = res.Body.Close() }() // only read
	body, err := io.ReadAll(io.LimitReader(res.Body, rules.MaxReplyBytes+1))
	switch {
	case err != nil:
		return fmt.Errorf("reading the server's policy: %w", err)
	case res.StatusCode == http.StatusNotModified:
		return nil
	case res.StatusCode == http.StatusNotFound:
		return p.none(t.URL)
	case res.StatusCode != http.StatusOK:
		return fmt.Errorf("asking the server for its policy: it answers %d", res.StatusCode)
	}
	return p.take(t.URL, res.Header.Get("ETag"), body)
}
