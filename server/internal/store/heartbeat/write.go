package heartbeat

import (
	"context"
	"maps"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/internal/store/db"
)

const (
	// writeTimeout bounds writing some hosts, lastTimeout all when the server ends.
	writeTimeout = 10 * time.Second
	lastTimeout  = 2 * time.Second
	// atOnce is how many hosts are written in one statement.
	atOnce = 1000
)

// rows are hosts to be written, column by column.
type rows struct {
	hosts    []int64
	contacts []time.Time
	uploads  []*time.Time
	versions []*string
	offsets  []*int64
	unseen   []*string
}

func (r *rows) add(host int64, b *beat) {
	r.hosts, r.contacts = append(r.hosts, host), append(r.contacts, b.contact)
	var upload *time.Time
	if !b.upload.IsZero() {
		at := b.upload
		upload = &at
	}
	var version *string
	if b.reported {
		name := b.version
		version = &name
	}
	r.uploads, r.versions = append(r.uploads, upload), append(r.versions, version)
	r.offsets, r.unseen = append(r.offsets, b.offset), append(r.unseen, b.unseen)
}

// upsert leaves what a host has not reported as it is. A host that is there no more, after
// a restore, is left out; several servers write in one order.
const upsert = `INSERT INTO host_heartbeat AS b (host, contact_at, upload_at, agent_version, clock_offset, unseen)
	SELECT h.id, n.contact, n.upload, n.version, n.clock_offset, n.unseen
	FROM unnest($1::bigint[], $2::timestamptz[], $3::timestamptz[], $4::text[], $5::bigint[], $6::text[]) AS n (host, contact, upload, version, clock_offset, unseen)
		JOIN host h ON h.id = n.host
	ORDER BY h.id
	ON CONFLICT (host) DO UPDATE SET contact_at = greatest(b.contact_at, EXCLUDED.contact_at), upload_at = greatest(b.upload_at, EXCLUDED.upload_at),
		agent_version = coalesce(EXCLUDED.agent_version, b.agent_version), clock_offset = coalesce(EXCLUDED.clock_offset, b.clock_offset),
		unseen = coalesce(EXCLUDED.unseen, b.unseen)`

// Write writes what is new of all hosts. What could not be written is tried again.
func (h *Heartbeats) Write(ctx context.Context) error {
	for {
		part := h.take()
		if len(part.hosts) == 0 {
			return nil
		}
		if err := h.write(ctx, part); err != nil {
			h.putBack(part.hosts)
			return err
		}
	}
}

func (h *Heartbeats) write(ctx context.Context, r *rows) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	return h.db.Write(ctx, "noting when hosts were heard", func(tx pgx.Tx) error {
		_, err := db.Exec(ctx, tx, "writing", upsert, r.hosts, r.contacts, r.uploads, r.versions, r.offsets, r.unseen)
		return err
	})
}

// take takes some hosts of which something is to be written.
func (h *Heartbeats) take() *rows {
	now := h.now()
	h.mu.Lock()
	defer h.mu.Unlock()
	part := &rows{}
	for host := range h.due {
		if len(part.hosts) == atOnce {
			break
		}
		b := h.hosts[host]
		b.written = now
		part.add(host, b)
		delete(h.due, host)
	}
	if now.Sub(h.swept).Abs() >= forgetAfter {
		h.swept = now
		maps.DeleteFunc(h.hosts, func(host int64, b *beat) bool { return !h.due[host] && now.Sub(b.contact) >= forgetAfter })
	}
	return part
}

// putBack has hosts written another time.
func (h *Heartbeats) putBack(hosts []int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, host := range hosts {
		if h.hosts[host] != nil {
			h.due[host] = true
		}
	}
}
