// Package heartbeat keeps when each host was last heard, and what it reported of itself.
// That is gathered in memory and written now and then, many hosts at once, so that taking in
// events neither waits for it nor fails with it.
package heartbeat

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"activity-tracker.example/server/internal/store/db"
)

const (
	// writeEvery is how often what is new is written.
	writeEvery = 10 * time.Second
	// again is how old what is written of a host gets while it reports the same: most send
	// every 5 min, and each writes once then.
	again = 5 * time.Minute
	// jitter is by how many seconds a clock has to move before that is news: less is the
	// network's.
	jitter = 2
	// forgetAfter is when a host that is silent is no longer remembered here.
	forgetAfter = time.Hour
)

// Report is what a host reports of itself when it asks for its policy.
type Report struct {
	// Version is its agent's; empty: an older one, which reports nothing.
	Version string
	// ClockOffset is by how many seconds its clock is ahead; nil: it sent none.
	ClockOffset *int64
	// Unseen is what cannot be seen there; nil: nothing is known of that now.
	Unseen []string
}

// beat is what is known of a host.
type beat struct {
	contact, upload time.Time // upload is zero where there was none
	// reported is set once it has asked for its policy: the rest is from there.
	reported bool
	version  string
	offset   *int64
	unseen   *string
	// written is when that was last taken to be written.
	written time.Time
}

// Heartbeats are those of one database's hosts. Its methods may be called at once.
type Heartbeats struct {
	db  *db.DB
	now func() time.Time

	mu sync.Mutex
	// hosts are those that were heard lately, by their row, due those of them of which
	// something is to be written.
	hosts map[int64]*beat
	due   map[int64]bool
	swept time.Time
}

// New returns those of a database.
func New(d *db.DB, now func() time.Time) *Heartbeats {
	h := &Heartbeats{db: d, now: now, hosts: map[int64]*beat{}, due: map[int64]bool{}}
	d.OnReplaced(h.forget)
	return h
}

// forget forgets all hosts: in another database their rows have other numbers.
func (h *Heartbeats) forget() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.hosts, h.due = map[int64]*beat{}, map[int64]bool{}
}

// Uploaded notes that a host has sent something. It is written later.
func (h *Heartbeats) Uploaded(host int64) {
	now := h.now()
	h.mu.Lock()
	defer h.mu.Unlock()
	b := h.heard(host, now)
	if b.upload.IsZero() {
		h.due[host] = true
	}
	b.upload = now
}

// Reported notes what a host reports of itself. It is written later.
func (h *Heartbeats) Reported(host int64, r Report) {
	now := h.now()
	h.mu.Lock()
	defer h.mu.Unlock()
	b := h.heard(host, now)
	if !b.reported || b.version != r.Version {
		b.reported, b.version = true, strings.Clone(r.Version) // of a header that is much longer
		h.due[host] = true
	}
	if r.ClockOffset != nil && (b.offset == nil || max(*r.ClockOffset-*b.offset, *b.offset-*r.ClockOffset) >= jitter) {
		b.offset = r.ClockOffset
		h.due[host] = true
	}
	if r.Unseen == nil {
		return
	}
	if unseen := strings.Join(r.Unseen, ","); b.unseen == nil || *b.unseen != unseen {
		b.unseen = &unseen
		h.due[host] = true
	}
}

// heard returns a host's beat, which begins or goes on now.
func (h *Heartbeats) heard(host int64, now time.Time) *beat {
	b := h.hosts[host]
	if b == nil {
		b = &beat{}
		h.hosts[host] = b
	}
	b.contact = now
	if now.Sub(b.written).Abs() >= again { // a clock may have been set back
		h.due[host] = true
	}
	return b
}

// Run writes what is new until ctx ends, and what is left then.
func (h *Heartbeats) Run(ctx context.Context, log *slog.Logger) error {
	failed := false
	write := func(ctx context.Context) {
		err := h.Write(ctx)
		if err != nil && !failed && ctx.Err() == nil {
			log.Warn("when hosts were last heard is not kept yet; it is tried again", "error", err)
		}
		failed = err != nil
	}
	for {
		select {
		case <-ctx.Done():
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastTimeout)
			defer cancel()
			write(ctx)
			return nil
		case <-time.After(writeEvery):
			write(ctx)
		}
	}
}
