package bench

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net/http"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
)

// copies is a server that only stores: it does not read what it gets, looks for
// nothing and adds nothing up, and COPYs as many ready rows as the waiting
// requests have events. No server that answers when PostgreSQL has what it got can
// do less, so that its figures bound what can be asked of ours on a machine.
type copies struct {
	waiting chan *copied
}

// copied is a request that waits to be stored.
type copied struct {
	events int
	result chan error
}

const (
	// copyEvents ends a group, as in ours.
	copyEvents = 5000
	// packedBytes are those of a usual event as our server packs it.
	packedBytes = 50
)

func makeCopiesTable(b *testing.B, conn *connection) {
	b.Helper()
	conn.run(b, "CREATE TABLE copies (machine int, ts timestamptz, body bytea, PRIMARY KEY (machine, ts))")
}

// run stores until ctx ends, on one connection: with two or three groups were
// smaller and fewer events/s came in.
func (c *copies) run(ctx context.Context, databaseURL string) error {
	conn, err := pgx.Connect(ctx, databaseURL)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	w := copier{conn: conn}
	for {
		select {
		case <-ctx.Done():
			return nil
		case first := <-c.waiting:
			w.store(ctx, c.gather(first))
		}
	}
}

// gather takes what waits.
func (c *copies) gather(first *copied) []*copied {
	group, events := []*copied{first}, first.events
	for events < copyEvents {
		select {
		case next := <-c.waiting:
			group, events = append(group, next), events+next.events
		default:
			return group
		}
	}
	return group
}

// copier is a connection that stores: rows of one machine, one after the other in
// time.
type copier struct {
	conn *pgx.Conn
	ts   uint64
	rows []byte
}

// store COPYs rows for a group in PostgreSQL's binary format and answers it.
func (c *copier) store(ctx context.Context, group []*copied) {
	var body [packedBytes]byte
	c.rows = append(c.rows[:0], "PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00"...)
	for _, member := range group {
		for range member.events {
			c.ts++
			// Three fields, each after its length: 4 bytes of machine, 8 of ts.
			c.rows = append(c.rows, 0, 3, 0, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0, 8)
			c.rows = binary.BigEndian.AppendUint64(c.rows, c.ts)
			c.rows = append(c.rows, 0, 0, 0, packedBytes)
			c.rows = append(c.rows, body[:]...)
		}
	}
	c.rows = append(c.rows, 0xff, 0xff)
	_, err := c.conn.PgConn().CopyFrom(ctx, bytes.NewReader(c.rows), "COPY copies FROM STDIN (FORMAT binary)")
	for _, member := range group {
		member.result <- err
	}
}

// buffers hold bodies: new memory for each would cost more than reading them.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// ServeHTTP takes a batch.
func (c *copies) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body := buffers.Get().(*bytes.Buffer)
	defer buffers.Put(body)
	body.Reset()
	if _, err := io.Copy(body, r.Body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	waits := &copied{events: bytes.Count(body.Bytes(), []byte(`"machine_id"`)), result: make(chan error, 1)}
	select {
	case c.waiting <- waits:
	case <-r.Context().Done():
		return
	}
	if err := <-waits.result; err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	answerPlain(w, waits.events, 0)
}
