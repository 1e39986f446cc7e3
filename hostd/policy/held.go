package policy

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"activity-tracker.example/hostd/durable"
	rules "activity-tracker.example/server/api/policy"
)

// maxTagBytes bounds what is kept of an ETag.
const maxTagBytes = 200

// held is what a server answered last, as it is kept in a file.
type held struct {
	// Server is whose it is.
	Server string `json:"server"`
	// Tag is the reply's ETag.
	Tag   string          `json:"tag,omitempty"`
	Reply json.RawMessage `json:"reply"`

	reply rules.Reply
}

// restore reads what was kept; a file that cannot be read is none.
func (p *Policy) restore() {
	f, err := os.Open(p.o.File)
	if err != nil {
		return
	}
	defer func() { _ = f.Close() }() // only read
	data, err := io.ReadAll(io.LimitReader(f, 2*rules.MaxReplyBytes))
	var h held
	if err != nil || json.Unmarshal(data, &h) != nil {
		return
	}
	if h.reply, err = rules.ParseReply(h.Reply); err == nil {
		p.held = &h
	}
}

// serve notes whose policies are to hold: of the server that this host is enrolled with.
// What another one answered does not hold.
func (p *Policy) serve(server string, enrolled bool) {
	p.mu.Lock()
	if !enrolled {
		server = ""
	}
	changed := p.server != server
	p.server = server
	p.mu.Unlock()
	if changed {
		p.apply()
	}
}

// theirs returns what the server answered, if it did. The caller holds the lock.
func (p *Policy) theirs() (rules.Reply, bool) {
	if p.held == nil || p.held.Server != p.server {
		return rules.Reply{}, false
	}
	return p.held.reply, true
}

// waits reports whether the server has not answered yet what may be measured.
func (p *Policy) waits() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.waiting
}

func (p *Policy) tag() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, has := p.theirs(); !has {
		return ""
	}
	return p.held.Tag
}

// none notes that the server knows of no policies: it is older than they are. One that
// had some before has not lost them.
func (p *Policy) none(server string) error {
	p.mu.Lock()
	reply, has := p.theirs()
	p.mu.Unlock()
	switch {
	case !has:
		return p.keep(held{Server: server, Reply: json.RawMessage(`{"revision":0,"none":true,"policies":[]}`)})
	case !reply.None:
		return fmt.Errorf("%w: it answers that it has none", errUnreadable)
	}
	return nil
}

// take takes a reply that can be read and is not older than the one that is held.
func (p *Policy) take(server, tag string, body []byte) error {
	reply, err := rules.ParseReply(body)
	if err != nil {
		return fmt.Errorf("%w: %w", errUnreadable, err)
	}
	p.mu.Lock()
	last, has := p.theirs()
	p.mu.Unlock()
	if has && reply.Revision < last.Revision {
		return fmt.Errorf("the server's policy is of revision %d and older than the one that holds here, of %d: it is not taken", reply.Revision, last.Revision)
	}
	if len(tag) > maxTagBytes {
		tag = ""
	}
	return p.keep(held{Server: server, Tag: tag, Reply: body})
}

// keep makes a reply hold, once it will after a restart too.
func (p *Policy) keep(h held) error {
	var err error
	if h.reply, err = rules.ParseReply(h.Reply); err != nil {
		return fmt.Errorf("%w: %w", errUnreadable, err)
	}
	data, err := json.Marshal(h)
	if err != nil {
		return fmt.Errorf("encoding the server's policy: %w", err)
	}
	const onlyRoot = 0o600
	err = durable.WriteFile(p.o.File, data, onlyRoot)
	p.mu.Lock()
	p.held = &h // narrower at once, also where it cannot be kept
	p.mu.Unlock()
	p.apply()
	if err != nil {
		return fmt.Errorf("keeping the server's policy: %w", err)
	}
	return nil
}

// apply makes hold what the file and the server allow now, and reports that.
func (p *Policy) apply() {
	p.decide()
	p.o.Changed()
}

func (p *Policy) decide() {
	now := p.o.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	reply, has := p.theirs()
	p.waiting = p.server != "" && !has
	p.effective = rules.Narrow(p.o.Rules, reply.At(now))
	p.switchAt = reply.Next(now)
	p.times.change(p.effective.Hours, now)
	p.endPauses(now.Unix())
	p.users.Exclude(p.effective.ExcludeUsers)
}

// due reports whether another version begins to hold.
func (p *Policy) due(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.switchAt.IsZero() && !now.Before(p.switchAt)
}

// Problem is what keeps the server's policy from being known; empty if nothing does.
func (p *Policy) Problem() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.waiting && p.trouble != nil:
		return "waiting for policy: nothing is measured until the server has said what may be; " + p.trouble.Error()
	case p.waiting:
		return "waiting for policy: nothing is measured until the server has said what may be"
	case p.trouble != nil && p.held != nil && !p.held.reply.None:
		return "the server's policy holds as it was last known; " + p.trouble.Error()
	}
	return ""
}
