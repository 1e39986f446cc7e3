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

// processTime gives zeros for a process that is gone.
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
