package bench

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/server/internal/localpg"
)

// tick is the unit of times in /proc/PID/stat: USER_HZ is 100 on every Linux.
const tick = 10 * time.Millisecond

// Fields of /proc/PID/stat, counted from the one after the program's name.
const (
	statParent = 1
	statUser   = 11
	// statFields are user, system, and the same of children that were waited for.
	statFields = 4
)

// cpu is how much of the processors a server and its PostgreSQL have used.
type cpu struct {
	server, postgres time.Duration
}

func (c cpu) since(before cpu) cpu {
	return cpu{server: c.server - before.server, postgres: c.postgres - before.postgres}
}

// cpuOf reads it. A process's time counts once it has ended, too: its parent has
// waited for it then.
func cpuOf(b *testing.B, server int, pg *localpg.Server) cpu {
	b.Helper()
	postmaster, err := pg.PID()
	if err != nil {
		b.Fatal(err)
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		b.Fatal(err)
	}
	var c cpu
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		parent, used := processTime(pid)
		switch {
		case pid == server:
			c.server += used
		case pid == postmaster, parent == postmaster:
			c.postgres += used
		}
	}
	return c
}

// Fields of the first line of /proc/stat, counted from its name.
const (
	machineIdle   = 4
	machineIOWait = 5
	machineSteal  = 8
)

// stolen is how much of the time in which this machine's processors had work went
// to other guests of the same hardware. An answer that waits for such a slice takes
// its length longer, whatever the server does.
type stolen struct {
	wanted, taken int
}

func stolenSoFar(b *testing.B) stolen {
	b.Helper()
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		b.Fatal(err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	fields := strings.Fields(line)
	if len(fields) <= machineSteal {
		b.Fatalf("/proc/stat begins with %q", line)
	}
	var s stolen
	// What comes after is counted in other fields already.
	for i, field := range fields[1 : machineSteal+1] {
		n, err := strconv.Atoi(field)
		if err != nil {
			b.Fatal(err)
		}
		if i+1 == machineIdle || i+1 == machineIOWait {
			continue
		}
		s.wanted += n
		if i+1 == machineSteal {
			s.taken = n
		}
	}
	return s
}

// percentSince is the share of the time that was wanted since before.
func (s stolen) percentSince(before stolen) float64 {
	return 100 * float64(s.taken-before.taken) / float64(max(s.wanted-before.wanted, 1))
}

// processTime returns zeros for a process that is gone.
func processTime(pid int) (parent int, used time.Duration) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0
	}
	// The name is in brackets and may hold anything.
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	parent, _ = strconv.Atoi(fields[statParent])
	for _, field := range fields[statUser : statUser+statFields] {
		n, _ := strconv.Atoi(field)
		used += time.Duration(n) * tick
	}
	return parent, used
}
