package logind

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"
)

// Any user may send a signal of 32 MiB to any connection of the system bus. One
// that is longer than logind's ever are is not even decoded.
func TestLongSignalsAreSkipped(t *testing.T) {
	tb := newTestBus(t)
	logind := tb.serveLogind(oneSession)
	b, err := connect(context.Background(), tb.address)
	if err != nil {
		t.Fatal(err)
	}
	defer b.close()
	emit := func(what string) {
		t.Helper()
		if err := logind.Emit(busPath, managerIface+".SessionNew", what, sessionPath); err != nil {
			t.Fatal(err)
		}
		// The bus answers in order: then the signal has been passed on, and read.
		for _, c := range []*dbus.Conn{logind, b.conn} {
			if err := c.BusObject().Call("org.freedesktop.DBus.GetId", 0).Err; err != nil {
				t.Fatal(err)
			}
		}
	}
	for len(b.sig.poke) > 0 {
		<-b.sig.poke
	}
	emit(strings.Repeat("x", 8<<20))
	if len(b.sig.poke) != 0 {
		t.Error("a signal of 8 MiB was decoded")
	}
	emit("c1")
	if len(b.sig.poke) != 1 {
		t.Error("the signal after it was not heard")
	}
	if list, bad, err := b.sessions(context.Background()); err != nil || bad != 0 || len(list) != 1 {
		t.Errorf("got %v, %d, %v", list, bad, err)
	}
}

func frame(order binary.AppendByteOrder, kind byte, fields, body int) []byte {
	mark := byte('l')
	if order == binary.AppendByteOrder(binary.BigEndian) {
		mark = 'B'
	}
	b := order.AppendUint32([]byte{mark, kind, 0, 1}, uint32(body))
	b = order.AppendUint32(order.AppendUint32(b, 7), uint32(fields))
	return append(b, make([]byte, (fields+7)/8*8+body)...)
}

func TestLimitedKeepsWholeMessages(t *testing.T) {
	const signal = 4
	small, odd := frame(binary.LittleEndian, signal, 24, 5), frame(binary.BigEndian, signal, 3, 0)
	answer := frame(binary.LittleEndian, typeReturn, 8, 2*maxSignal)
	for name, c := range map[string]struct {
		sent, want [][]byte
		bad        bool
	}{
		"small ones":           {[][]byte{small, odd, small}, [][]byte{small, odd, small}, false},
		"a long signal":        {[][]byte{small, frame(binary.BigEndian, signal, 8, maxSignal), odd}, [][]byte{small, odd}, false},
		"a long header":        {[][]byte{frame(binary.LittleEndian, signal, maxSignal, 0), odd}, [][]byte{odd}, false},
		"a long answer":        {[][]byte{answer, odd}, [][]byte{answer, odd}, false},
		"a longer answer":      {[][]byte{frame(binary.LittleEndian, typeError, 0, maxAnswer), odd}, [][]byte{odd}, false},
		"no message":           {[][]byte{small, make([]byte, headBytes)}, [][]byte{small}, true},
		"an impossible length": {[][]byte{frame(binary.LittleEndian, signal, 0, 0)[:4], bytes.Repeat([]byte{0xff}, 12)}, nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			ours, theirs := net.Pipe()
			defer func() { _ = ours.Close() }()
			go func() {
				defer func() { _ = theirs.Close() }()
				_, _ = io.ReadFull(theirs, make([]byte, len("BEGIN\r\n")))
				_, _ = theirs.Write(bytes.Join(c.sent, nil))
			}()
			l := &limited{Conn: ours}
			if _, err := l.Write([]byte("BEGIN\r\n")); err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(l)
			if !bytes.Equal(got, bytes.Join(c.want, nil)) || (err != nil) != c.bad {
				t.Errorf("got %d bytes, %v; want %d", len(got), err, len(bytes.Join(c.want, nil)))
			}
		})
	}
}
