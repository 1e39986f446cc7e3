// Package hoststat measures the host: processor, memory and disk use, and what
// each user's processes take of them.
package hoststat

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/shirou/gopsutil/v3/cpu"
	"github.com/shirou/gopsutil/v3/disk"
	"github.com/shirou/gopsutil/v3/mem"
)

// SampleTimeout bounds one sample: it reads /proc, which answers within
// milliseconds, and one filesystem, which may hang.
const SampleTimeout = 2 * time.Second

// Stats is one sample. A nil figure was not measured.
type Stats struct {
	// Percentages of the host, 0 to 100. CPUPercent is since the last sample.
	CPUPercent, RAMUsedPercent, DiskUsedPercent *float64
	// Users by uid; empty for the first sample.
	Users map[uint32]User
}

// User is what one user's processes take.
type User struct {
	// CPUPercent of the whole host since the last sample, 0 to 100. A process
	// that began and ended in between is not in it.
	CPUPercent float64
	// RAMBytes is the sum of the processes' resident memory: what they share
	// counts for each.
	RAMBytes int64
}

// Sampler measures on demand; nothing runs in between. It is not safe for
// concurrent use.
type Sampler struct {
	diskPath string
	proc     string
	now      func() time.Time

	cpuBefore *cpu.TimesStat
	procs     map[procKey]uint64 // CPU ticks
	procsAt   time.Time
}

// New makes a Sampler that reports the use of the filesystem of diskPath.
func New(diskPath string) *Sampler {
	return &Sampler{diskPath: diskPath, proc: "/proc", now: time.Now}
}

// Sample measures. Figures that fail are missing and named in the error; the
// others are good.
func (s *Sampler) Sample(ctx context.Context) (Stats, error) {
	ctx, cancel := context.WithTimeout(ctx, SampleTimeout)
	defer cancel()
	var st Stats
	var failed error
	fail := func(what string, err error) {
		if failed == nil {
			failed = fmt.Errorf("measuring the host's %s: %w", what, err)
		}
	}
	if times, err := cpu.TimesWithContext(ctx, false); err != nil || len(times) == 0 {
		fail("processor", err)
	} else {
		st.CPUPercent = s.cpuPercent(times[0])
	}
	if m, err := mem.VirtualMemoryWithContext(ctx); err != nil {
		fail("memory", err)
	} else {
		st.RAMUsedPercent = percent(m.UsedPercent)
	}
	if d, err := s.disk(ctx); err != nil {
		fail("disk", err)
	} else {
		st.DiskUsedPercent = percent(d)
	}
	users, err := s.users(ctx)
	if err != nil {
		fail("processes", err)
	}
	st.Users = users
	return st, failed
}

// disk asks in another goroutine: statfs of a filesystem that hangs cannot be
// interrupted, and the daemon must go on.
func (s *Sampler) disk(ctx context.Context) (float64, error) {
	type answer struct {
		used float64
		err  error
	}
	c := make(chan answer, 1)
	go func() {
		u, err := disk.UsageWithContext(ctx, s.diskPath)
		if err != nil {
			c <- answer{err: err}
			return
		}
		c <- answer{used: u.UsedPercent}
	}()
	select {
	case a := <-c:
		return a.used, a.err
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// cpuPercent is the share of time since the last sample that was not idle;
// nil for the first sample.
func (s *Sampler) cpuPercent(now cpu.TimesStat) *float64 {
	before := s.cpuBefore
	s.cpuBefore = &now
	if before == nil {
		return nil
	}
	total := busy(now) + idle(now) - busy(*before) - idle(*before)
	if total <= 0 {
		return nil
	}
	return percent(100 * (busy(now) - busy(*before)) / total)
}

// Guest time is in user time already.
func busy(t cpu.TimesStat) float64 {
	return t.User + t.Nice + t.System + t.Irq + t.Softirq + t.Steal
}

func idle(t cpu.TimesStat) float64 { return t.Idle + t.Iowait }

// percent keeps a figure within what the server takes.
func percent(p float64) *float64 {
	if p != p { // NaN
		return nil
	}
	p = min(max(p, 0), 100)
	return &p
}

// hostShare turns processor seconds within wall seconds into a share of all
// processors, in percent.
func hostShare(cpuSeconds, wallSeconds float64) float64 {
	if wallSeconds <= 0 {
		return 0
	}
	return min(max(100*cpuSeconds/wallSeconds/float64(runtime.NumCPU()), 0), 100)
}
