package minutes

import (
	"encoding/binary"
	"errors"
	"time"
)

// The minutes of records that begin in one quarter of an hour, as bytes. They are added
// to by appending, so that whoever adds need not read them; what is read is the sum of
// all entries. An entry has how many records it is of, how many runs of equal minutes
// there are, and of each its length and state, its distance to the one before unless it
// follows that, and the active time of its minutes unless they are wholly active.

const (
	// reach is how many minutes the records of a quarter reach: the quarter's, those of
	// the longest record that begins at its end, and one that both cut.
	reach = quarterMinutes + 60 + 1
	// quarterMinutes are a quarter's own.
	quarterMinutes = 15
	// stateBits are those of a state in a run's first number, over the bit that marks a
	// distance.
	stateBits = 3
	// whole stands for minutes that are active to the last millisecond.
	whole  = Active + 1
	second = int64(time.Second / time.Millisecond)
)

// ErrDamaged is returned for bytes that cannot be read.
var ErrDamaged = errors.New("the minutes of a roll-up are damaged")

// Quarter is what the records that begin in a quarter of an hour hold.
type Quarter struct {
	// Records is how many there are.
	Records int64
	list    [reach]Minute
}

// Append appends a record to the bytes of the quarter from start in Unix microseconds.
func Append(b []byte, start int64, r Record) []byte {
	first := (r.Start - start) / micros
	if end := r.Start + r.LengthMS*1000; r.LengthMS > 0 && end <= start+(first+1)*micros {
		return appendRun(append(b, 1, 1), first, 1, stateOf(r.ActiveMS, r.Rest), r.ActiveMS)
	}
	q := Quarter{Records: 1}
	g := Grid{From: start, List: q.list[:]}
	g.Add(r)
	return q.Append(b)
}

// Append appends all in one entry; of no records nothing.
func (q *Quarter) Append(b []byte) []byte {
	if q.Records == 0 {
		return b
	}
	runs, last := 0, Minute{}
	for _, m := range q.list {
		if m != last && m.State != Unknown {
			runs++
		}
		last = m
	}
	b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(q.Records)), uint64(runs))
	after := 0
	for i := 0; i < reach; {
		m, n := q.list[i], 1
		for i+n < reach && q.list[i+n] == m {
			n++
		}
		if m.State != Unknown {
			b = appendRun(b, int64(i-after), n, m.State, int64(m.ActiveMS))
			after = i + n
		}
		i += n
	}
	return b
}

func appendRun(b []byte, gap int64, n int, state State, active int64) []byte {
	if active == LengthMS {
		state = whole
	}
	head := (uint64(n-1)<<stateBits | uint64(state)) << 1
	if gap > 0 {
		b = binary.AppendUvarint(binary.AppendUvarint(b, head|1), uint64(gap))
	} else {
		b = binary.AppendUvarint(b, head)
	}
	if state != Active {
		return b
	}
	return binary.AppendUvarint(b, timeCode(active))
}

// run reads a run of equal minutes, its first after where the one before ended.
func (u *reader) run() (gap, n uint64, m Minute) {
	head := u.number()
	n, m.State = head>>(stateBits+1)+1, State(head>>1&(1<<stateBits-1))
	if head&1 == 1 {
		gap = u.number()
	}
	active := int64(0)
	switch {
	case m.State == Active:
		active = timeOf(u.number())
	case m.State == whole:
		m.State, active = Active, LengthMS
	case m.State == Unknown || m.State > whole:
		u.bad = true
	}
	if gap > reach || n > reach || active > LengthMS {
		u.bad = true
		return 0, 0, Minute{}
	}
	m.ActiveMS = uint16(active)
	return gap, n, m
}

// timeCode makes usual times short: odd numbers are seconds, others twice the
// milliseconds.
func timeCode(active int64) uint64 {
	if active%second == 0 {
		return uint64(active/second*2 - 1)
	}
	return uint64(active * 2)
}

func timeOf(code uint64) int64 {
	code = min(code, uint64(3*LengthMS))
	if code%2 == 1 {
		return int64(code+1) / 2 * second
	}
	return int64(code / 2)
}

// Run is a run of equal minutes.
type Run struct {
	// At is its first minute, counted from the quarter's beginning, N how many there are.
	At, N int32
	Minute
}

// AppendRuns appends what bytes hold to a list, and returns of how many records that is.
func AppendRuns(list []Run, b []byte) (all []Run, of int64, err error) {
	for u := (reader{b: b}); len(u.b) > 0; {
		records, runs, at := u.number(), u.number(), uint64(0)
		for range min(runs, reach+1) {
			gap, n, m := u.run()
			if u.bad || at+gap+n > reach {
				return list, 0, ErrDamaged
			}
			at += gap
			list = append(list, Run{At: int32(at), N: int32(n), Minute: m})
			at += n
		}
		if u.bad || records == 0 || records > 1<<32 || runs > reach {
			return list, 0, ErrDamaged
		}
		of += int64(records)
	}
	return list, of, nil
}

// Decode adds up what bytes hold.
func Decode(b []byte) (Quarter, error) {
	var q Quarter
	runs, records, err := AppendRuns(nil, b)
	for _, r := range runs {
		for i := range r.N {
			q.list[r.At+i].add(r.State, int64(r.ActiveMS))
		}
	}
	q.Records = records
	return q, err
}

// Within returns the length of all minutes that are recorded, and for how long somebody was
// there, in milliseconds. ok is false where records reach beyond the quarter's end.
func (q *Quarter) Within() (recordedMS, activeMS int64, ok bool) {
	for _, m := range q.list[:quarterMinutes] {
		if m.State > NotCollected {
			recordedMS += LengthMS
		}
		activeMS += int64(m.ActiveMS)
	}
	for _, m := range q.list[quarterMinutes:] {
		if m.State != Unknown {
			return 0, 0, false
		}
	}
	return recordedMS, activeMS, true
}

// Joined returns bytes with one entry that holds the same; what is damaged stays as it is.
func Joined(b []byte) []byte {
	q, err := Decode(b)
	if err != nil {
		return b
	}
	return q.Append(nil)
}

// AddRuns adds the records that begin in the quarter from a start in Unix microseconds.
func (g *Grid) AddRuns(start int64, runs []Run) {
	first := int((start - g.From) / micros)
	begin, end := len(g.List), 0
	for _, r := range runs {
		from := max(0, first+int(r.At))
		to := min(len(g.List), first+int(r.At+r.N))
		for i := from; i < to; i++ {
			g.List[i].add(r.State, int64(r.ActiveMS))
		}
		begin, end = min(begin, from), max(end, to)
	}
	g.touch(begin, end)
}

type reader struct {
	b   []byte
	bad bool
}

// number reads a number; most are short.
func (u *reader) number() uint64 {
	if b := u.b; len(b) > 0 && b[0] < 1<<7 {
		u.b = b[1:]
		return uint64(b[0])
	}
	return u.long()
}

func (u *reader) long() uint64 {
	v, n := binary.Uvarint(u.b)
	if n <= 0 {
		u.b, u.bad = nil, true
		return 0
	}
	u.b = u.b[n:]
	return v
}
