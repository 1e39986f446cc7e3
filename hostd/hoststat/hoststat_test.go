package hoststat

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// This machine, measured twice with some work of ours in between.
func TestSample(t *testing.T) {
	s := New(t.TempDir())
	first, err := s.Sample(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if first.CPUPercent != nil || first.Users != nil {
		t.Errorf("the first sample knows what was since the last: %+v", first)
	}
	n := 0
	for end := time.Now().Add(200 * time.Millisecond); time.Now().Before(end); {
		n++ // processor time of this process
	}
	st, err := s.Sample(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name, p := range map[string]*float64{"cpu": st.CPUPercent, "ram": st.RAMUsedPercent, "disk": st.DiskUsedPercent} {
		if p == nil || *p < 0 || *p > 100 || name != "disk" && *p == 0 {
			t.Errorf("%s: %v", name, p)
		}
	}
	me := st.Users[uint32(os.Getuid())]
	if me.CPUPercent <= 0 || me.CPUPercent > 100 || me.RAMBytes < 1<<20 {
		t.Errorf("my processes: %+v (%d)", me, n)
	}
}

// proc writes a process list.
func proc(t *testing.T, dir string, pid, ticks, start, pages int) {
	t.Helper()
	name := filepath.Join(dir, fmt.Sprint(pid))
	if err := os.MkdirAll(name, 0o755); err != nil {
		t.Fatal(err)
	}
	fields := strings.Repeat(" 0", 10) + fmt.Sprintf(" %d 1", ticks-1) + strings.Repeat(" 0", 6) + fmt.Sprintf(" %d 0 %d", start, pages)
	line := fmt.Sprintf("%d (a) R (b) S%s 0 0\n", pid, fields)
	if err := os.WriteFile(filepath.Join(name, "stat"), []byte(line), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestUsers(t *testing.T) {
	dir := t.TempDir()
	now := time.Unix(1000, 0)
	s := &Sampler{proc: dir, now: func() time.Time { return now }}
	proc(t, dir, 1, 1000, 5, 10)
	proc(t, dir, 2, 500, 6, 20)
	proc(t, dir, 4, 9999, 7, 1)
	if err := os.MkdirAll(filepath.Join(dir, "self"), 0o755); err != nil {
		t.Fatal(err)
	}
	if u, err := s.users(t.Context()); err != nil || u != nil {
		t.Fatalf("%v %v", u, err)
	}
	now = now.Add(100 * time.Second)
	proc(t, dir, 1, 1100, 5, 10) // 1 s of work
	proc(t, dir, 2, 200, 99, 20) // its id was used again: 2 s of work
	proc(t, dir, 3, 300, 98, 5)  // new: 3 s
	if err := os.RemoveAll(filepath.Join(dir, "4")); err != nil {
		t.Fatal(err)
	}
	u, err := s.users(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	me := u[uint32(os.Getuid())]
	if want := hostShare(6, 100); me.CPUPercent < want-1e-9 || me.CPUPercent > want+1e-9 || me.RAMBytes != 35*int64(os.Getpagesize()) || len(u) != 1 {
		t.Errorf("%+v, want %v %%", u, want)
	}
}

func TestParseStat(t *testing.T) {
	good := "7 (x) S 1 2 3 4 5 6 7 8 9 10 140 150 16 17 18 19 20 21 220 23 240 25"
	p, err := parseStat([]byte(good))
	if err != nil || p != (procStat{ticks: 290, start: 220, rssPages: 240}) {
		t.Errorf("%+v %v", p, err)
	}
	for _, bad := range []string{"", "7 (x", "7 (x) S 1 2", strings.Replace(good, "140", "-1", 1), strings.Replace(good, "240", "x", 1)} {
		if _, err := parseStat([]byte(bad)); err == nil {
			t.Errorf("%q passed", bad)
		}
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte("7 (x) S 1 2 3 4 5 6 7 8 9 10 140 150 16 17 18 19 20 21 220 23 240 25"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, err := parseStat(b); err == nil && p.rssPages < 0 {
			t.Errorf("%q: %+v", b, p)
		}
	})
}

func BenchmarkSample(b *testing.B) {
	s := New("/")
	for b.Loop() {
		if _, err := s.Sample(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(s.procs)), "processes")
}
