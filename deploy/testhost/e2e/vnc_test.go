package e2e

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"testing"
	"time"
)

// viewer is a client of VNC (RFC 6143), as far as hands need one: what the server
// draws is thrown away.
type viewer struct {
	conn net.Conn
	x, y uint16
	down byte // the buttons that are held
	// pace leaves the server time to see each event by itself.
	pace *time.Ticker
}

// eventGap is between two events.
const eventGap = 2 * time.Millisecond

// viewTimeout bounds talking to the server, which answers within milliseconds.
const viewTimeout = 20 * time.Second

// view connects to the VNC server of a display that asks for no password.
func (h *host) view(t *testing.T, display int) *viewer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), viewTimeout)
	defer cancel()
	conn, err := h.DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", 5900+display))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	v := &viewer{conn: conn, pace: time.NewTicker(eventGap)}
	t.Cleanup(v.pace.Stop)
	if err := v.greet(); err != nil {
		t.Fatalf("greet the VNC server: %v", err)
	}
	go func() { _, _ = io.Copy(io.Discard, conn) }() // ends with the connection
	return v
}

func (v *viewer) greet() error {
	if err := v.conn.SetDeadline(time.Now().Add(viewTimeout)); err != nil {
		return err
	}
	const version = "RFB 003.008\n"
	got := make([]byte, len(version))
	if _, err := io.ReadFull(v.conn, got); err != nil {
		return err
	}
	if _, err := io.WriteString(v.conn, version); err != nil {
		return err
	}
	var count [1]byte
	if _, err := io.ReadFull(v.conn, count[:]); err != nil {
		return err
	}
	if _, err := io.ReadFull(v.conn, make([]byte, count[0])); err != nil {
		return err
	}
	const noPassword, shared = 1, 1
	if _, err := v.conn.Write([]byte{noPassword}); err != nil {
		return err
	}
	var result [4]byte
	if _, err := io.ReadFull(v.conn, result[:]); err != nil || binary.BigEndian.Uint32(result[:]) != 0 {
		return fmt.Errorf("refused with %v, %w", result, err)
	}
	if _, err := v.conn.Write([]byte{shared}); err != nil {
		return err
	}
	head := make([]byte, 24) // size, format, length of the name
	if _, err := io.ReadFull(v.conn, head); err != nil {
		return err
	}
	_, err := io.CopyN(io.Discard, v.conn, int64(binary.BigEndian.Uint32(head[20:])))
	v.x, v.y = binary.BigEndian.Uint16(head)/2, binary.BigEndian.Uint16(head[2:])/2
	return err
}

// keys presses the key a so many times.
func (v *viewer) keys(n int) error {
	const keyEvent, keysym = 4, 'a'
	for range n {
		for _, down := range []byte{1, 0} {
			if err := v.send([]byte{keyEvent, down, 0, 0, 0, 0, 0, keysym}); err != nil {
				return err
			}
		}
	}
	return nil
}

// press presses and releases a button so many times; 3 and 4 are the wheel.
func (v *viewer) press(n int, button uint) error {
	for range n {
		for _, mask := range []byte{1 << button, 0} {
			v.down = mask
			if err := v.point(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (v *viewer) point() error {
	const pointerEvent = 5
	return v.send(binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16([]byte{pointerEvent, v.down}, v.x), v.y))
}

func (v *viewer) send(b []byte) error {
	<-v.pace.C
	if err := v.conn.SetDeadline(time.Now().Add(viewTimeout)); err != nil {
		return err
	}
	_, err := v.conn.Write(b)
	return err
}
