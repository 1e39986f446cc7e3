package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"activity-tracker.example/hostd/buffer"
	"activity-tracker.example/hostd/collect"
	"activity-tracker.example/hostd/helper"
	"activity-tracker.example/hostd/hoststat"
	"activity-tracker.example/hostd/logind"
	"activity-tracker.example/hostd/notify"
	"activity-tracker.example/hostd/reading"
	"activity-tracker.example/hostd/roster"
	"activity-tracker.example/hostd/unit"
	"activity-tracker.example/hostd/xrdp"
	"activity-tracker.example/server/api"
	"activity-tracker.example/sessiond/wire"
)

const (
	// manySessions is how many people work at once.
	manySessions = 300
	// manyWarm is until all helpers report, and manyFor for how long is measured:
	// one end of an interval is in it.
	manyWarm = 8 * time.Second
	manyFor  = time.Minute
	// reportEvery is how often a helper reports that sees input; crowdEvery how often the
	// 101st and those after it do.
	reportEvery = 5 * time.Second
	crowdEvery  = 10 * time.Second
	crowd       = 100
	// helpersVariable makes this program be the helpers.
	helpersVariable = "TRACKERD_TEST_HELPERS"
)

// BenchmarkManySessions is what the stages from the helpers' sockets to the disk
// cost while 300 people work, at the pace that they have: the helpers are another
// process, whose time is not in it.
func BenchmarkManySessions(b *testing.B) {
	bound()
	for b.Loop() {
		b.ReportMetric(manySessionsCost(b), "%core")
	}
}

func manySessionsCost(b *testing.B) float64 {
	b.Helper()
	buf, err := buffer.Open(filepath.Join(b.TempDir(), "buffer.db"), buffer.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = buf.Close() }()
	collector, err := collect.New(buf, collect.Options{Interval: time.Minute, IdleAfter: 3 * time.Minute, Stats: hoststat.New("/")})
	if err != nil {
		b.Fatal(err)
	}
	supervisor := helper.New(helper.Options{
		Binary: "/sessiond", Interval: time.Minute, IdleAfter: 3 * time.Minute,
		Connected: connectedBy(xrdp.NewPeers(time.Minute)), Log: slog.New(slog.DiscardHandler),
	}, startHelpers(b), notify.New(""))
	ctx, cancel := context.WithCancel(b.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	tracked := make(chan []roster.Tracked, 1)
	tracked <- manyTracked()
	collector.Live(manyTracked())
	readings := make(chan reading.Reading, readingsQueue)
	wg.Go(func() { _ = supervisor.Run(ctx, tracked, readings) })
	wg.Go(func() { _ = collector.Run(ctx, readings) })
	<-time.After(manyWarm)
	before := used(b)
	<-time.After(manyFor)
	cost := 100 * (used(b) - before).Seconds() / manyFor.Seconds()
	if n := collector.Status().OpenRecords; n != manySessions {
		b.Errorf("%d records are open", n)
	}
	return cost
}

func manyTracked() []roster.Tracked {
	list := make([]roster.Tracked, manySessions)
	for i := range list {
		list[i] = roster.Tracked{
			Key:       logind.SessionKey{ID: fmt.Sprint("c", i), Leader: uint32(10_000 + i), SinceUnixMicro: 1_790_000_000_000_000},
			MachineID: fmt.Sprintf("host-0123abcd-many%03d", i), Username: fmt.Sprintf("many%03d", i), UID: uint32(20_000 + i),
			Display: fmt.Sprintf(":%d", 1000+i), Kind: api.SessionRDP,
		}
	}
	return list
}

// used is what this process has had of the processors.
func used(b *testing.B) time.Duration {
	b.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// helpers stands for systemd: it hands each helper's socket to the other process.
type helpers struct{ conn *net.UnixConn }

func startHelpers(b *testing.B) helpers {
	b.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		b.Fatal(err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "ours"), os.NewFile(uintptr(fds[1]), "theirs")
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), helpersVariable+"=1")
	cmd.ExtraFiles, cmd.Stderr = []*os.File{theirs}, os.Stderr
	conn, err := net.FileConn(ours)
	if err := errors.Join(err, ours.Close(), cmd.Start(), theirs.Close()); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = conn.Close()
		if err := cmd.Wait(); err != nil {
			b.Error(err)
		}
	})
	return helpers{conn.(*net.UnixConn)}
}

// Start implements helper.Units.
func (h helpers) Start(_ context.Context, u unit.Unit) error {
	raw, err := u.Socket.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) { _, _, failed = h.conn.WriteMsgUnix([]byte{0}, unix.UnixRights(int(fd)), nil) })
	return errors.Join(err, failed)
}

// Stop implements helper.Units.
func (helpers) Stop(context.Context, string) error { return nil }

// Command implements helper.Units.
func (helpers) Command(context.Context, string) ([]string, error) { return nil, nil }

// beHelpers reports for each socket that comes, as a helper does at whose session
// somebody works, until the other process ends.
func beHelpers() {
	conn := os.NewFile(3, "sockets")
	for n := 0; ; n++ {
		b, rights := make([]byte, 1), make([]byte, 64)
		_, size, _, _, err := unix.Recvmsg(int(conn.Fd()), b, rights, 0)
		if err != nil || size == 0 {
			return
		}
		messages, err := unix.ParseSocketControlMessage(rights[:size])
		if err != nil {
			panic(err)
		}
		fds, err := unix.ParseUnixRights(&messages[0])
		if err != nil {
			panic(err)
		}
		go beHelper(n, fds[0])
	}
}

func beHelper(n, fd int) {
	every := reportEvery
	if n >= crowd {
		every = crowdEvery
	}
	started := time.Now()
	r := wire.Report{StartedUnixNano: started.UnixNano()}
	<-time.After(every * time.Duration(n) / manySessions)
	for {
		now := time.Now()
		r.TimeUnixMilli, r.IntervalStartUnix = now.UnixMilli(), now.Truncate(time.Minute).Unix()
		r.Counters.Keys = uint64(now.Sub(started) / time.Second)
		r.Counters.ActiveMS = uint64(now.Sub(started) / time.Millisecond)
		inInterval := uint64(now.Sub(now.Truncate(time.Minute)) / time.Millisecond)
		r.Focus = []wire.Focus{
			{App: "Firefox", Title: "Activity Tracker — a page of some sort", DurationMS: inInterval / 2, ActiveMS: inInterval / 2},
			{App: "XTerm", Title: "somebody@host: ~", DurationMS: inInterval / 2, ActiveMS: inInterval / 2},
		}
		if _, err := unix.Write(fd, wire.Append(nil, &r)); err != nil {
			return
		}
		next := now.Add(every)
		if end := now.Truncate(time.Minute).Add(time.Minute); end.Before(next) {
			next = end // and from then on again as before
		}
		<-time.After(time.Until(next))
	}
}
