package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"activity-tracker.example/hostd/asking"
	"activity-tracker.example/hostd/buffer"
	"activity-tracker.example/hostd/collect"
	"activity-tracker.example/hostd/config"
	"activity-tracker.example/hostd/control"
	"activity-tracker.example/hostd/display"
	"activity-tracker.example/hostd/enrollment"
	"activity-tracker.example/hostd/helper"
	"activity-tracker.example/hostd/hostid"
	"activity-tracker.example/hostd/hoststat"
	"activity-tracker.example/hostd/logind"
	"activity-tracker.example/hostd/notify"
	"activity-tracker.example/hostd/outbound"
	"activity-tracker.example/hostd/policy"
	"activity-tracker.example/hostd/reading"
	"activity-tracker.example/hostd/receipts"
	"activity-tracker.example/hostd/roster"
	"activity-tracker.example/hostd/shots"
	"activity-tracker.example/hostd/uncollected"
	"activity-tracker.example/hostd/upload"
	"activity-tracker.example/hostd/xrdp"
)

const (
	// defaultHelper is where the package puts sessiond.
	defaultHelper = "/usr/libexec/trackerd/sessiond"
	// nameFile is beside the buffer and keeps the host's name in machine_ids.
	nameFile = "host-name.json"
	// policyFile is beside it and keeps the server's last answer on what may be
	// measured.
	policyFile = "policy.json"
	// pausesFile is beside it and keeps who paused.
	pausesFile = "pauses.json"
	// readyTimeout bounds how long the start waits for logind: one that is
	// slow must not make it fail, since trackerd copes with its absence.
	readyTimeout = 5 * time.Second
	// stopTimeout bounds the whole stop. What is not done by then is lost no
	// more than by a kill: TimeoutStopSec in the unit is longer.
	stopTimeout = 10 * time.Second
	// readingsQueue is how many readings may wait for one disk sync, so that
	// helpers' sockets are read on meanwhile.
	readingsQueue = 64
	// listSilence is for how long the loops that follow logind may be silent:
	// they turn at least once a minute, and a bus that hangs takes its time.
	listSilence = 3 * time.Minute
	// loopSilence is the same for the loops that turn every 20 s or less, with
	// a disk that is slow to sync between.
	loopSilence = 2 * time.Minute
	// uploadSilence is the same for the upload, one request of which may take
	// three minutes.
	uploadSilence = 4 * time.Minute
)

// daemon is all stages of one running trackerd.
type daemon struct {
	cfg     config.Config
	opts    options
	log     *slog.Logger
	started time.Time
	// hostname is the host's now, and keptName the one in machine_ids.
	hostname, keptName string
	hostID             hostid.ID

	notify     *notify.Client
	watchdog   *notify.Watchdog
	buffer     *buffer.Buffer
	enrollment *enrollment.Store
	watcher    *logind.Watcher
	roster     *roster.Roster
	policy     *policy.Policy
	// rethink has room for one wish to decide again who is measured.
	rethink    chan struct{}
	units      helper.Units
	endUnits   func()
	supervisor *helper.Supervisor
	collector  *collect.Collector
	uploader   *upload.Uploader
	teller     *uncollected.Teller
	receipts   *receipts.Keeper
	shots      *shots.Keeper // nil where no pictures are taken and none wait
	asker      *asking.Asker // nil where one person runs it for themselves
	// connected reports whether somebody can be at a session; nil, with the
	// reason, where that cannot be known.
	connected func(roster.Tracked) (*bool, error)

	displays display.Places
	// asksDisplays is set while the list of X displays decides something.
	asksDisplays atomic.Bool

	mu       sync.Mutex
	tracked  int               // how many sessions the roster wants measured
	problems []roster.Problem  // of the last list
	refused  []roster.Problem  // likewise
	users    map[string]string // by machine_id, of the last list
	// enumerated is closed once the first list of sessions was there, or should have been.
	enumerated chan struct{}
	once       sync.Once
}

// run is trackerd: it returns nil once ctx has ended and everything is stored.
func run(ctx context.Context, cfg config.Config, o options, log *slog.Logger) error {
	who := control.ForEverybody
	if o.user {
		who = control.ForOwner
		if systemDaemonRuns(ctx, o.systemSocket) {
			return systemDaemonError{}
		}
		if err := o.makeFolders(cfg.BufferPath); err != nil {
			return err
		}
	}
	// The socket comes first: it shows at once whether another one runs.
	listener, err := control.Listen(ctx, o.socketPath, who)
	if err != nil {
		return err
	}
	d, err := open(cfg, o, log)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	done := make(chan error, 1)
	go func() { done <- errors.Join(d.loops(ctx, listener), d.close()) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	_ = d.notify.Stopping() // systemd sees the end anyway
	timer := time.NewTimer(stopTimeout)
	defer timer.Stop()
	select {
	case err := <-done:
		return err
	case <-timer.C:
		return fmt.Errorf("did not stop within %s", stopTimeout)
	}
}

// open makes every stage; nothing runs yet.
func open(cfg config.Config, o options, log *slog.Logger) (*daemon, error) {
	d := &daemon{cfg: cfg, opts: o, log: log, started: time.Now(), enumerated: make(chan struct{}), rethink: make(chan struct{}, 1)}
	d.notify = notify.New(os.Getenv("NOTIFY_SOCKET"))
	interval, err := notify.WatchdogInterval()
	if err != nil {
		return nil, err
	}
	d.watchdog = notify.NewWatchdog(d.notify, interval)
	d.watchdog.OnStall(func(loop string, silence time.Duration) {
		log.Error("a loop makes no progress, the watchdog is not fed", "loop", loop, "silence", silence)
	})
	stored := notify.StoredFDs()
	if d.hostID, err = o.readHostID(); err != nil {
		return nil, err
	}
	if d.hostname, err = os.Hostname(); err != nil {
		return nil, fmt.Errorf("read the host's name: %w", err)
	}
	d.enrollment, err = enrollment.Open(enrollment.Options{
		Outbound: d.outbound(), HostID: d.hostID.String(), Credential: o.credentialPath, Record: o.enrollmentPath, StopIfExposed: o.user,
	}, cfg)
	if err != nil {
		return nil, err
	}
	if d.buffer, err = buffer.Open(cfg.BufferPath, buffer.Options{Log: log}); err != nil {
		return nil, fmt.Errorf("open the buffer %s: %w", cfg.BufferPath, err)
	}
	if err := d.openStages(stored); err != nil {
		return nil, errors.Join(err, d.buffer.Close())
	}
	return d, nil
}

func (d *daemon) openStages(stored []*os.File) error {
	var stats collect.Sampler
	if d.cfg.Features.TrackSystemStats {
		stats = hoststat.New(filepath.Dir(d.cfg.BufferPath))
	}
	d.policy = policy.New(policy.Options{
		Rules: d.cfg.Rules(), Changed: d.reconsider, File: filepath.Join(filepath.Dir(d.cfg.BufferPath), policyFile),
		PausesFile: filepath.Join(filepath.Dir(d.cfg.BufferPath), pausesFile), Log: d.log,
		Target: d.enrollment.Target, Client: outbound.NewClient(d.outbound(), policy.FetchTimeout), Version: version, Unseen: d.unseen,
	})
	d.policy.AskFirst()
	var err error
	d.collector, err = collect.New(d.buffer, collect.Options{
		Interval: d.cfg.CollectInterval, IdleAfter: d.cfg.IdleAfter, Stats: stats, Log: d.log,
		Missing:  d.policy.Missing,
		Progress: d.watchdog.Loop("collect", loopSilence).Made,
	})
	if err != nil {
		return err
	}
	d.teller, err = uncollected.New(uncollected.Options{Buffer: d.buffer, Gaps: d.policy.Gaps, Standing: d.policy.Standing, Log: d.log})
	if err != nil {
		return err
	}
	d.receipts, err = receipts.New(receipts.Options{
		Buffer: d.buffer, Target: d.enrollment.Target, Client: outbound.NewClient(d.outbound(), receipts.SendTimeout), Log: d.log,
	})
	if err != nil {
		return err
	}
	d.keptName = d.keepName()
	d.watcher = logind.NewWatcher(d.log)
	d.watcher.OnProgress(d.watchdog.Loop("logind", listSilence).Made)
	d.roster = roster.New(d.naming(), d.wanted())
	d.displays = display.System()
	d.connected = connectedBy(xrdp.NewPeers(d.cfg.CollectInterval))
	d.units, d.endUnits = d.opts.units(d.log)
	d.supervisor = helper.New(helper.Options{
		Binary: d.opts.helperPath, Interval: d.cfg.CollectInterval, IdleAfter: d.cfg.IdleAfter,
		NoTitles: !d.cfg.Features.WindowTitles, RealInputDevices: d.cfg.RealInputDevices,
		Stored: stored, Known: d.collector.Known(),
		Connected: d.connected, Ended: d.watcher.Refresh,
		Progress: d.watchdog.Loop("helpers", loopSilence).Made, Log: d.log,
	}, d.units, d.notify)
	d.supervisor.SetTitles(d.policy.Titles())
	if err := d.openShots(); err != nil {
		return err
	}
	d.uploader = upload.New(d.buffer, d.enrollment.Target, upload.Options{
		Period: d.cfg.SendInterval, Log: d.log, Policy: d.policy.Told, Hostname: d.hostname, Client: outbound.NewClient(d.outbound(), upload.RequestTimeout),
		Progress: d.watchdog.Loop("upload", uploadSilence).Made,
	})
	d.asker, err = d.newAsker()
	return err
}

// naming is how machine_ids are made.
func (d *daemon) naming() roster.Naming {
	return roster.Naming{Hostname: d.keptName, HostHash: d.hostID.Short(), Template: d.cfg.MachineID}
}

// keepName returns the name of the host in machine_ids, which stays when the host is
// renamed.
func (d *daemon) keepName() string {
	name, err := hostid.KeepName(filepath.Join(filepath.Dir(d.cfg.BufferPath), nameFile), d.hostID, d.hostname)
	if err != nil {
		d.log.Warn("this host's name may change what people are called at its next start", "error", err)
	}
	return name
}

// close ends what open began.
func (d *daemon) close() error {
	d.endUnits()
	if err := d.buffer.Close(); err != nil {
		return fmt.Errorf("close the buffer: %w", err)
	}
	return nil
}

// outbound is how the server is reached.
func (d *daemon) outbound() outbound.Options {
	return outbound.Options{ProxyURL: d.cfg.ProxyURL, CAFile: d.cfg.CAFile}
}

// loops runs every stage until ctx ends or one of them fails.
func (d *daemon) loops(ctx context.Context, listener *net.UnixListener) error {
	g, ctx := errgroup.WithContext(ctx)
	sessions := make(chan []logind.Session)
	tracked := make(chan []roster.Tracked)
	readings := make(chan reading.Reading, readingsQueue)
	g.Go(func() error { return d.watcher.Run(ctx, sessions) })
	g.Go(func() error { return d.decide(ctx, sessions, tracked) })
	g.Go(func() error { return d.watchDisplays(ctx) })
	g.Go(func() error { return d.policy.Run(ctx) })
	g.Go(func() error { return d.policy.Follow(ctx, d.cfg.SendInterval) })
	// The collector ends after the helpers' readers, so that it stores
	// everything that was taken off their sockets.
	collecting, stopCollecting := context.WithCancel(context.WithoutCancel(ctx))
	g.Go(func() error {
		defer stopCollecting()
		return d.supervisor.Run(ctx, tracked, readings)
	})
	g.Go(func() error { return d.collector.Run(collecting, readings) })
	g.Go(func() error { return d.teller.Run(ctx) })
	g.Go(func() error { return d.receipts.Run(ctx) })
	if d.shots != nil {
		g.Go(func() error { return d.shots.Run(ctx) })
		g.Go(func() error { return d.shots.Send(ctx) })
	}
	if d.asker != nil {
		g.Go(func() error { return d.asker.Run(ctx) })
	}
	g.Go(func() error { return d.uploader.Run(ctx) })
	g.Go(func() error { return control.NewServer(d, d.log).Run(ctx, listener) })
	g.Go(func() error { return d.watchdog.Run(ctx) })
	g.Go(func() error { return d.tell(ctx) })
	if d.opts.user {
		g.Go(func() error { return d.yield(ctx) })
	}
	return g.Wait()
}

// decide has the roster choose from each list of sessions which are measured, and
// hands the choice to the supervisor and the collector.
func (d *daemon) decide(ctx context.Context, sessions <-chan []logind.Session, tracked chan<- []roster.Tracked) error {
	var list []logind.Session
	for known := false; ; {
		select {
		case <-ctx.Done():
			return nil
		case list = <-sessions:
			known = true
		case <-d.rethink:
			d.supervisor.SetTitles(d.policy.Titles())
		}
		if !known {
			continue
		}
		list := d.opts.own(list)
		decided := d.roster.Update(list, d.listDisplays(list))
		d.noteUsers(decided.Tracked)
		decided = d.policy.Allow(d.opts.readable(decided))
		d.remember(decided)
		d.teller.Know(decided.Tracked)
		d.collector.Live(decided.Tracked)
		select {
		case <-ctx.Done():
			return nil
		case tracked <- decided.Tracked:
		}
		d.once.Do(func() { close(d.enumerated) })
	}
}

// reconsider has decide look again at what the policy allows.
func (d *daemon) reconsider() {
	select {
	case d.rethink <- struct{}{}:
	default: // it will
	}
}

func (d *daemon) remember(r roster.Result) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(r.Problems) > len(d.problems) {
		for _, p := range r.Problems {
			d.log.Warn("a user is not measured", "user", p.Username, "problem", p.Text)
		}
	}
	sessions := make(map[logind.SessionKey]bool)
	for i := range r.Tracked {
		sessions[r.Tracked[i].Key] = true // one session may have two sources
	}
	d.tracked, d.problems, d.refused = len(sessions), r.Problems, r.Refused
}

// waitForSessions waits until the first list of sessions was there, within
// bounds.
func (d *daemon) waitForSessions(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-d.enumerated:
	case <-time.After(readyTimeout):
		d.log.Warn("logind has not answered yet; going on without it")
		d.once.Do(func() { close(d.enumerated) })
	}
}
