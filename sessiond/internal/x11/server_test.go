package x11

import (
	"encoding/binary"
	"io"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/jezek/xgb/xproto"

	"activity-tracker.example/sessiond/internal/counting"
)

// script is what a server answers: its greeting and then, request by request,
// what it sends for it. Each part has its length before it, in two bytes.
type script []byte

func (s *script) add(b []byte) {
	*s = append(binary.LittleEndian.AppendUint16(*s, uint16(len(b))), b...)
}

// next cuts off the next part, as far as it is there.
func (s *script) next() ([]byte, bool) {
	if len(*s) < 2 {
		return nil, false
	}
	n := min(int(binary.LittleEndian.Uint16(*s)), len(*s)-2)
	part := (*s)[2 : 2+n]
	*s = (*s)[2+n:]
	return part, true
}

// reply is a reply with these words and this end.
func reply(seq uint16, second byte, end []byte, words ...uint32) []byte {
	m := make([]byte, headerBytes, headerBytes+len(end))
	m[0], m[1] = kindReply, second
	binary.LittleEndian.PutUint16(m[2:], seq)
	binary.LittleEndian.PutUint32(m[4:], uint32(len(end)/4))
	for i, w := range words {
		binary.LittleEndian.PutUint32(m[8+4*i:], w)
	}
	return append(m, end...)
}

// goodScript opens a display with a window manager and one active window.
func goodScript() script {
	const present, opcode, device = 1, 131, 9
	var slave []byte
	for _, w := range []uint32{pair(device, slavePointer), pair(2, 0), pair(4, 1), 'm' | 'i'<<8 | 'c'<<16 | 'e'<<24} {
		slave = binary.LittleEndian.AppendUint32(slave, w)
	}
	unknownError := append([]byte{kindError, 200, 13, 0}, make([]byte, headerBytes-4)...)
	events := append(rawEvent(xiRawKeyPress, 38, device), xproto.PropertyNotify)
	events = append(events, make([]byte, headerBytes-1)...)
	windowIs := func(seq uint16) []byte { return reply(seq, 32, []byte{7, 0, 0, 0}, xproto.AtomWindow, 0, 1) }
	var s script
	s.add(greeted())
	for _, answer := range [][]byte{
		reply(1, 0, nil, present|opcode<<8),
		reply(2, 0, nil, present|(opcode+1)<<8),
		reply(3, 0, nil, pair(xiMajor, xiMinor)),
		reply(4, 0, nil, 0), // no X-Resource
		reply(5, 0, nil, 0), // no screen saver
		reply(6, 0, nil, 100), reply(7, 0, nil, 101), reply(8, 0, nil, 102), reply(9, 0, nil, 103), reply(10, 0, nil, 104), reply(11, 0, nil, 105),
		nil, unknownError, // selecting input has no answer but an error
		reply(14, 0, slave, 1),
		reply(15, 0, nil, 3),
		reply(16, 0, nil, 0), // no counters
		append(reply(17, 1, nil, 1, 0, pair(30, 40)), events...), // where the pointer is
		windowIs(18), nil, windowIs(20), // the window manager's, which is selected, and names itself
		windowIs(21), nil, // the active window, which is selected
		reply(23, 8, []byte("app\x00App\x00"), xproto.AtomString, 0, 8),
		append([]byte{kindError, 200, 24, 0}, make([]byte, headerBytes-4)...), // an error code that xgb does not know
		reply(25, 8, []byte("work"), xproto.AtomString, 0, 4),
	} {
		s.add(answer)
	}
	return s
}

// play answers each request with the script's next part, and ends with it, or
// when no request comes in time.
func play(c net.Conn, s script, step time.Duration) {
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(step))
	greeting := make([]byte, 12)
	if _, err := io.ReadFull(c, greeting); err != nil {
		return
	}
	for head := make([]byte, 4); ; {
		_ = c.SetDeadline(time.Now().Add(step))
		part, ok := s.next()
		if !ok {
			return
		}
		if _, err := c.Write(part); err != nil {
			return
		}
		if _, err := io.ReadFull(c, head); err != nil {
			return
		}
		body := 4*int64(binary.LittleEndian.Uint16(head[2:])) - int64(len(head))
		if _, err := io.CopyN(io.Discard, c, body); err != nil {
			return
		}
	}
}

func startOnScript(t *testing.T, s script, step time.Duration) *Display {
	t.Helper()
	d, server := connected(t)
	go play(server, s, step)
	return d
}

// TestScript: the fuzz test's server is a good one, and an error code that xgb
// does not know leaves nobody waiting.
func TestScript(t *testing.T) {
	t.Parallel()
	d := startOnScript(t, goodScript(), patience)
	defer d.c.close()
	if err := d.start(cookie{}); err != nil {
		t.Fatal(err)
	}
	if want := (counting.Window{App: "App", Title: "work"}); d.Focus.Current() != want || d.Input.Counters().Keys != 1 {
		t.Fatalf("window %+v, counters %+v", d.Focus.Current(), d.Input.Counters())
	}
}

// FuzzServer: whatever a server sends, opening and draining end, with or without
// an error, and xgb neither panics in a goroutine of its own nor waits.
func FuzzServer(f *testing.F) {
	f.Add([]byte(goodScript()))
	for cut := 2; cut < len(goodScript()); cut += 61 {
		broken := goodScript()
		broken[cut] ^= 0xff
		f.Add([]byte(broken))
	}
	runtime.GOMAXPROCS(max(2, runtime.NumCPU())) // a display waits in its thread, and fuzzing gives one
	const soon = 100 * time.Millisecond          // a part that is cut off leaves both waiting
	f.Fuzz(func(t *testing.T, b []byte) {
		d := startOnScript(t, b, soon)
		defer d.c.close()
		begin := time.Now()
		if err := d.start(cookie{}); err == nil {
			_, _, _ = d.Drain(0) // how it ends is the server's affair
		}
		if took := time.Since(begin); took >= replyTimeout {
			t.Fatalf("waited %v for a server that had gone", took)
		}
	})
}

// TestLyingProperty: a value that is declared longer than its reply is not
// for xgb to see, which would allocate and read it.
func TestLyingProperty(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		b    []byte
		want bool
	}{
		"none":       {reply(1, 0, nil), true},
		"exact":      {reply(1, 8, []byte("abcd"), 0, 0, 4), true},
		"padded":     {reply(1, 8, []byte("abc\x00"), 0, 0, 3), true},
		"too long":   {reply(1, 8, []byte("abcd"), 0, 0, 5), false},
		"words":      {reply(1, 32, []byte("abcd"), 0, 0, 2), false},
		"overflow":   {reply(1, 248, nil, 0, 0, 0xffffffff), false},
		"no format":  {reply(1, 7, nil, 0, 0, 0xffffffff), true},
		"wraps at 4": {reply(1, 32, nil, 0, 0, 0x40000000), false},
	} {
		if got := isProperty(c.b); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
