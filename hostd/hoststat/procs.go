package hoststat

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

const (
	// maxProcs bounds how many processes one sample looks at: more than any
	// shared host runs, and about a second of work.
	maxProcs = 32_768
	// ticksPerSecond is USER_HZ, in which /proc counts processor time; it is
	// 100 on every architecture that Debian supports.
	ticksPerSecond = 100
	// maxStatBytes bounds one /proc/PID/stat: about fifty numbers and a name
	// of at most 64 bytes.
	maxStatBytes = 4096
)

// procKey identifies a process for good: ids are reused, starts are not.
type procKey struct {
	pid   int
	start uint64
}

// users reads one small file per process. gopsutil reads several for the same
// figures, which a host with thousands of processes would feel each minute.
func (s *Sampler) users(ctx context.Context) (map[uint32]User, error) {
	dir, err := os.Open(s.proc)
	if err != nil {
		return nil, fmt.Errorf("opening the process list: %w", err)
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, fmt.Errorf("reading the process list: %w", err)
	}
	at, first := s.now(), s.procs == nil
	wall := at.Sub(s.procsAt).Seconds()
	seen := make(map[procKey]uint64, len(names))
	users := map[uint32]User{}
	buf := make([]byte, maxStatBytes)
	for _, name := range names {
		if ctx.Err() != nil || len(seen) >= maxProcs {
			break
		}
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue // not a process
		}
		uid, p, ok := s.process(name, buf)
		if !ok {
			continue // it ended meanwhile
		}
		key := procKey{pid: pid, start: p.start}
		seen[key] = p.ticks
		u := users[uid]
		u.RAMBytes += p.rssPages * int64(os.Getpagesize())
		if before := s.procs[key]; p.ticks > before { // a new one counts whole
			u.CPUPercent += hostShare(float64(p.ticks-before)/ticksPerSecond, wall)
		}
		users[uid] = u
	}
	s.procs, s.procsAt = seen, at
	if first {
		return nil, nil
	}
	for uid, u := range users {
		u.CPUPercent = min(u.CPUPercent, 100)
		users[uid] = u
	}
	return users, nil
}

// process reads into buf who a process belongs to and what it took.
func (s *Sampler) process(pid string, buf []byte) (uid uint32, p procStat, ok bool) {
	f, err := os.Open(filepath.Join(s.proc, pid, "stat"))
	if err != nil {
		return 0, p, false
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return 0, p, false
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, p, false
	}
	n, err := f.Read(buf)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, p, false
	}
	p, err = parseStat(buf[:n])
	return owner.Uid, p, err == nil
}

// procStat is what is needed of /proc/PID/stat.
type procStat struct {
	ticks    uint64 // user and system
	start    uint64 // ticks after boot
	rssPages int64
}

// parseStat reads fields 14, 15, 22 and 24 of proc(5); the second, the name in
// brackets, may hold anything.
func parseStat(b []byte) (procStat, error) {
	var p procStat
	i := bytes.LastIndexByte(b, ')')
	if i < 0 {
		return p, errors.New("no process name")
	}
	const first = 3 // the field after the name
	f := bytes.Fields(b[i+1:])
	if len(f) <= 24-first {
		return p, errors.New("too few fields")
	}
	var n [4]uint64
	for i, field := range [...]int{14, 15, 22, 24} {
		v, err := strconv.ParseUint(string(f[field-first]), 10, 63)
		if err != nil {
			return p, fmt.Errorf("field %d: %w", field, err)
		}
		n[i] = v
	}
	return procStat{ticks: n[0] + n[1], start: n[2], rssPages: int64(n[3])}, nil
}
