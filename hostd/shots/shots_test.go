package shots

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"image"
	"image/jpeg"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"activity-tracker.example/hostd/logind"
	"activity-tracker.example/hostd/outbound"
	"activity-tracker.example/hostd/roster"
	"activity-tracker.example/hostd/unit"
	"activity-tracker.example/server/api/policy"
	"activity-tracker.example/sessiond/wire"
)

// program runs a function in place of a unit's program, with its end of the socket.
type program struct {
	does    func(fd int, u unit.Unit)
	mu      sync.Mutex
	stopped []string
}

func (p *program) Start(_ context.Context, u unit.Unit) error {
	fd, err := unix.Dup(int(u.Socket.Fd()))
	if err != nil {
		return err
	}
	go func() {
		defer func() { _ = unix.Close(fd) }()
		p.does(fd, u)
	}()
	return nil
}

func (p *program) Stop(_ context.Context, name string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = append(p.stopped, name)
	return nil
}

// photo is a JPEG of a size.
func photo(tb testing.TB, w, h int) []byte {
	tb.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewRGBA(image.Rect(0, 0, w, h)), nil); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// sends returns a program that sends packets.
func sends(packets ...[]byte) func(int, unit.Unit) {
	return func(fd int, _ unit.Unit) {
		for _, p := range packets {
			_ = unix.Send(fd, p, unix.MSG_NOSIGNAL)
		}
	}
}

// shot is what a program that works sends.
func shot(picture []byte) func(int, unit.Unit) {
	packets := [][]byte{wire.AppendPicture(nil, wire.Picture{Bytes: len(picture), Shared: true})}
	for part := range slices.Chunk(picture, wire.PicturePartBytes) {
		packets = append(packets, part)
	}
	return sends(packets...)
}

var tracked = roster.Tracked{
	Key: logind.SessionKey{ID: "c1", Leader: 1, SinceUnixMicro: 1}, Source: roster.SourceX11, MachineID: "host-1-alice", Username: "alice", UID: 1000, Display: ":10",
}

// fixture is a keeper with everything that it asks in a test's hands.
type fixture struct {
	*Keeper

	program *program
	mu      sync.Mutex
	now     time.Time
	rules   Rules
	whyNot  string
	titles  wire.Rules
	target  outbound.Target
}

func (f *fixture) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

func get[T any](f *fixture, of *T) T {
	f.mu.Lock()
	defer f.mu.Unlock()
	return *of
}

func newFixture(t *testing.T, dir string, change func(*Options)) *fixture {
	t.Helper()
	f := &fixture{program: &program{}, now: time.Now(), titles: wire.Rules{Titles: true}, rules: Rules{On: true, Kind: policy.Blurred, Interval: time.Minute}}
	o := Options{
		Dir: dir, Binary: "/shot", Program: f.program,
		Rules:    func() Rules { return get(f, &f.rules) },
		Titles:   func() wire.Rules { return get(f, &f.titles) },
		Sessions: func() []roster.Tracked { return []roster.Tracked{tracked} },
		WhyNot:   func(roster.Tracked) string { return get(f, &f.whyNot) },
		Target:   func() (outbound.Target, bool) { x := get(f, &f.target); return x, x.URL != "" },
		Now:      func() time.Time { return get(f, &f.now) },
		Random:   func() float64 { return 0 },
	}
	if change != nil {
		change(&o)
	}
	k, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	f.Keeper = k
	return f
}

func (f *fixture) files(t *testing.T) (list []string) {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(f.o.Dir, "*"+suffix))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// A picture is kept for root alone, with its rules sent first, and its file names nobody.
func TestTakeKeeps(t *testing.T) {
	t.Parallel()
	f := newFixture(t, filepath.Join(t.TempDir(), "shots"), nil)
	picture := photo(t, 900, 500)
	rules := make(chan []byte, 1)
	f.program.does = func(fd int, u unit.Unit) {
		b := make([]byte, wire.MaxRulesBytes)
		n, _ := unix.Read(fd, b)
		rules <- b[:n]
		if strings.Join(u.Command, " ") != "/shot --display :10 --kind blurred" || u.UID != 1000 || u.Limit == 0 {
			return
		}
		shot(picture)(fd, u)
	}
	f.Take(t.Context(), tracked)
	if r, err := wire.ParseRules(<-rules); err != nil || !r.Titles {
		t.Errorf("%+v, %v", r, err)
	}
	files := f.files(t)
	if len(files) != 1 || strings.Contains(files[0], "alice") {
		t.Fatalf("%v: %+v", files, f.Status())
	}
	for path, want := range map[string]os.FileMode{files[0]: 0o600, f.o.Dir: 0o700 | os.ModeDir} {
		if info, err := os.Stat(path); err != nil || info.Mode() != want {
			t.Errorf("%s is %v, %v", path, info.Mode(), err)
		}
	}
	got, err := f.spool.read(filepath.Base(files[0]))
	if err != nil || got.MachineID != tracked.MachineID || got.Kind != policy.Blurred || !bytes.Equal(got.JPEG, picture) {
		t.Errorf("%+v, %v", got, err)
	}
	f.Take(t.Context(), tracked) // within the same second
	<-rules
	if s := f.Status(); s.Taken != 2 || s.Waiting != 2 || len(f.files(t)) != 2 || s.Of[tracked.Name()].LastTaken.IsZero() {
		t.Errorf("%+v", s)
	}
}

// What a user's program may do in place of a picture: nothing of it is kept, and each is
// over within its time.
func TestHostilePrograms(t *testing.T) {
	t.Parallel()
	good := photo(t, 10, 10)
	head := func(n int) []byte { return wire.AppendPicture(nil, wire.Picture{Bytes: n}) }
	for name, c := range map[string]struct {
		does    func(int, unit.Unit)
		want    error
		stopped bool
	}{
		"killed":           {sends(), errEnded, true},
		"killed meanwhile": {sends(head(len(good)), good[:10]), errEnded, true},
		"rubbish":          {sends([]byte("rubbish")), errNoSense, true},
		"no JPEG":          {shot([]byte("no JPEG")), errNoSense, true},
		"too many pixels":  {shot(photo(t, 2000, 1001)), errNoSense, true},
		"more than said":   {sends(head(10), good), errNoSense, true},
		"a packet of none": {sends(head(10), nil), errEnded, true},
		"a covered window": {sends(wire.AppendPicture(nil, wire.Picture{Outcome: wire.OutcomeWindow})), outcomeError(wire.OutcomeWindow), false},
		"too large":        {sends(wire.AppendPicture(nil, wire.Picture{Outcome: wire.OutcomeTooLarge})), outcomeError(wire.OutcomeTooLarge), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, t.TempDir(), nil)
			f.program.does = c.does
			if err := f.take(t.Context(), tracked); !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
			f.program.mu.Lock()
			defer f.program.mu.Unlock()
			if len(f.files(t)) != 0 || (len(f.program.stopped) > 0) != c.stopped {
				t.Errorf("kept %v, stopped %v", f.files(t), f.program.stopped)
			}
		})
	}
}

// A program that never ends is given up and stopped.
func TestProgramNeverEnds(t *testing.T) {
	t.Parallel()
	f := newFixture(t, t.TempDir(), nil)
	hangs := make(chan struct{})
	defer close(hangs)
	f.program.does = func(int, unit.Unit) { <-hangs }
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond) // in place of takeTime
	defer cancel()
	if err := f.take(ctx, tracked); !errors.Is(err, errLate) || !slices.Equal(f.program.stopped, []string{"trackerd-shot-c1.service"}) {
		t.Errorf("%v, stopped %v", err, f.program.stopped)
	}
}

// What may not be taken, before or after, is not kept.
func TestMayNot(t *testing.T) {
	t.Parallel()
	f := newFixture(t, t.TempDir(), nil)
	started := 0
	f.program.does = func(int, unit.Unit) { started++ }
	f.set(func() { f.whyNot = "the screen is locked" })
	f.Take(t.Context(), tracked)
	f.set(func() { f.whyNot, f.rules.On = "", false })
	f.Take(t.Context(), tracked)
	if started > 0 {
		t.Error("a program was started")
	}
	picture := photo(t, 10, 10)
	for name, change := range map[string]func(){
		"locked":  func() { f.whyNot = "the screen is locked" },
		"off":     func() { f.rules.On = false },
		"blurred": func() { f.rules.Kind = policy.Readable },
		"titles":  func() { f.titles.Lists = [][]wire.Rule{{{App: "Mail"}}} },
	} {
		f.set(func() {
			f.whyNot, f.titles, f.rules = "", wire.Rules{Titles: true}, Rules{On: true, Kind: policy.Blurred, Interval: time.Minute}
		})
		f.program.does = func(fd int, u unit.Unit) { f.set(change); shot(picture)(fd, u) }
		f.Take(t.Context(), tracked)
		if s := f.Status(); len(f.files(t)) > 0 || s.Taken > 0 || s.Of[tracked.Name()].LastFailed == "" {
			t.Errorf("%s meanwhile: %+v", name, s)
		}
	}
}

// Each interval has one moment, anywhere in it, which a restart does not change.
func TestMoments(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f, again, other := newFixture(t, dir, nil), newFixture(t, dir, nil), newFixture(t, t.TempDir(), nil)
	const interval = 600 * time.Second
	early, late := 0, 0
	for n := range int64(200) {
		at := f.moment("a", n, interval)
		start := time.Unix(n*600, 0)
		if at.Before(start) || !at.Before(start.Add(interval)) {
			t.Fatalf("the moment of %v is %v", start, at)
		}
		if !at.Equal(again.moment("a", n, interval)) || at.Equal(other.moment("a", n, interval)) || at.Equal(f.moment("b", n, interval)) {
			t.Fatal("moments are the same of another session or host, or others after a restart")
		}
		if at.Sub(start) < interval/4 {
			early++
		}
		if at.Sub(start) >= 3*interval/4 {
			late++
		}
		if next := f.next("a", start.Add(-time.Nanosecond), interval); !next.Equal(at) && next.Before(start) == !f.moment("a", n-1, interval).After(start.Add(-time.Nanosecond)) {
			t.Fatalf("after the start of %v comes %v", start, next)
		}
		if next := f.next("a", at, interval); !next.Equal(f.moment("a", n+1, interval)) {
			t.Fatalf("after %v comes %v", at, next)
		}
	}
	if early < 25 || late < 25 {
		t.Errorf("of 200 moments %d are in the first quarter and %d in the last", early, late)
	}
}

// The loop takes one picture at the moment, and none of the moments that it slept through.
func TestRun(t *testing.T) {
	t.Parallel()
	f := newFixture(t, t.TempDir(), func(o *Options) { o.Now = time.Now })
	f.set(func() { f.rules.Interval = time.Second })
	picture := photo(t, 10, 10)
	f.program.does = shot(picture)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	for end := time.Now().Add(time.Minute); f.Status().Taken < 2; {
		select {
		case err := <-done:
			t.Fatal(err)
		case <-time.After(10 * time.Millisecond):
		}
		if time.Now().After(end) {
			t.Fatalf("%+v", f.Status())
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// What is beyond the bounds goes, the oldest first, and a damaged file.
func TestSpoolBounds(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := openSpool(dir)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(2_000_000_000, 0)
	for i := range 10 {
		if err := s.add(Shot{MachineID: "m", TakenAt: now.Add(time.Duration(i) * time.Second), Kind: policy.Blurred, JPEG: make([]byte, 100)}); err != nil {
			t.Fatal(err)
		}
	}
	s.bound(now.Add(maxAge + 3*time.Second))
	if len(s.list) != 7 || s.dropped != 3 {
		t.Errorf("%d left, %d dropped", len(s.list), s.dropped)
	}
	damaged := filepath.Join(dir, s.list[0].name)
	data, err := os.ReadFile(damaged)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)-1] ^= 1
	for path, b := range map[string][]byte{damaged: data, filepath.Join(dir, ".half.written"): []byte("x")} {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	again, err := openSpool(dir)
	if err != nil || len(again.list) != 6 || again.dropped != 1 || again.bytes() != 600 {
		t.Errorf("%d found, %d dropped, %v", len(again.list), again.dropped, err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 6 {
		t.Errorf("%v, %v", left, err)
	}
	for i := range again.list { // as if each were large
		again.list[i].bytes = maxBytes / 4
	}
	again.bound(now)
	if len(again.list) != 4 {
		t.Errorf("%d are left of six that are too large", len(again.list))
	}
	for len(again.list) <= maxWaiting {
		again.list = append(again.list, entry{name: "z", at: now.Unix()})
	}
	again.bound(now)
	if len(again.list) != maxWaiting {
		t.Errorf("%d wait", len(again.list))
	}
}

// serverSays answers each picture as the test wants.
func serverSays(t *testing.T, answers ...func(http.ResponseWriter, *http.Request)) (url string, asked func() int) {
	t.Helper()
	var mu sync.Mutex
	n := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		i := min(n, len(answers)-1)
		n++
		mu.Unlock()
		answers[i](w, r)
	}))
	t.Cleanup(srv.Close)
	return srv.URL, func() int { mu.Lock(); defer mu.Unlock(); return n }
}

func says(status int, code string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]string{"code": code, "id": "1", "detail": "so it is"})
	}
}

// keepOne keeps a picture of each second.
func (f *fixture) keepOne(t *testing.T, machineID string) {
	t.Helper()
	f.set(func() { f.now = f.now.Add(time.Second) })
	one := tracked
	one.MachineID = machineID
	if err := f.keep(one, Shot{MachineID: machineID, Kind: policy.Blurred, JPEG: photo(t, 10, 10)}); err != nil {
		t.Fatal(err)
	}
}

// What each answer makes of a picture.
func TestAnswers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer                             func(http.ResponseWriter, *http.Request)
		waiting                            int
		sent, refused, forgotten, tryAgain int64
	}{
		"new":           {says(201, ""), 0, 1, 0, 0, 0},
		"known already": {says(200, ""), 0, 1, 0, 0, 0},
		"bad":           {says(400, "bad_request"), 0, 0, 1, 0, 0},
		"large":         {says(413, "too_large"), 0, 0, 1, 0, 0},
		"no JPEG":       {says(415, "x"), 0, 0, 1, 0, 0},
		"no picture":    {says(422, "x"), 0, 0, 1, 0, 0},
		"off":           {says(403, "screenshots_off"), 0, 0, 1, 0, 0},
		"erased":        {says(410, "erased"), 0, 0, 0, 1, 0},
		"gone":          {says(410, "x"), 1, 0, 0, 0, 1},
		"foreign":       {says(403, "foreign_machine"), 1, 0, 0, 0, 0},
		"unauthorized":  {says(401, "unauthorized"), 1, 0, 0, 0, 1},
		"forbidden":     {says(403, "forbidden"), 1, 0, 0, 0, 1},
		"older":         {says(404, "not_found"), 1, 0, 0, 0, 1},
		"busy":          {says(503, "x"), 1, 0, 0, 0, 1},
		"a proxy's":     {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }, 1, 0, 0, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, t.TempDir(), nil)
			f.keepOne(t, "m")
			f.target.URL, _ = serverSays(t, c.answer)
			_, err := f.sendAll(t.Context(), map[string]hold{})
			s := f.Status()
			if s.Waiting != c.waiting || s.Sent != c.sent || s.Refused != c.refused || s.Forgotten != c.forgotten || (err != nil) != (c.tryAgain > 0) {
				t.Errorf("%+v, %v", s, err)
			}
			if len(f.files(t)) != c.waiting {
				t.Error("files:", f.files(t))
			}
			if c.refused > 0 && !strings.Contains(s.LastError, "so it is") {
				t.Errorf("%q", s.LastError)
			}
		})
	}
}

// The request is as the server expects it, and its errors name nobody.
func TestRequest(t *testing.T) {
	t.Parallel()
	f := newFixture(t, t.TempDir(), nil)
	f.set(func() { f.now = time.Unix(1_800_000_000-1, 5) })
	f.keepOne(t, "host-1-анна b")
	f.target.Credential = "secret"
	f.target.URL, _ = serverSays(t, func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if r.Method != http.MethodPost || r.URL.Path != "/api/screenshots" || q.Get("machine_id") != "host-1-анна b" || q.Get("taken_at") != "2027-01-15T08:00:00Z" ||
			q.Get("kind") != "blurred" || r.Header.Get("Authorization") != "Bearer secret" || r.Header.Get("Content-Type") != "image/jpeg" {
			t.Errorf("%s %s %v", r.Method, r.URL, r.Header)
		}
		if _, err := jpeg.Decode(r.Body); err != nil {
			t.Error(err)
		}
		says(201, "")(w, r)
	})
	if _, err := f.sendAll(t.Context(), nil); err != nil || f.Status().Sent != 1 {
		t.Errorf("%+v, %v", f.Status(), err)
	}
	f.keepOne(t, "host-1-anna")
	f.target.URL = "http://127.0.0.1:1"
	if _, err := f.sendAll(t.Context(), nil); err == nil || strings.Contains(err.Error(), "anna") {
		t.Error(err)
	}
}

// An account's pictures are tried again soon, since its first record may be under way, and
// then ever later.
func TestHolds(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)
	var h hold
	var got []time.Duration
	for range 10 {
		h = h.longer(now)
		got = append(got, h.until.Sub(now))
	}
	s := time.Second
	if want := []time.Duration{15 * s, 30 * s, 60 * s, 120 * s, 240 * s, 480 * s, 960 * s, 1920 * s, time.Hour, time.Hour}; !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
}

// A server that is away, then busy, gets every picture once it is back, the oldest first;
// an account of which it takes none keeps no other waiting.
func TestSend(t *testing.T) {
	t.Parallel()
	f := newFixture(t, t.TempDir(), nil)
	f.keepOne(t, "foreign")
	f.keepOne(t, "a")
	var mu sync.Mutex
	var got []string
	takes := func(w http.ResponseWriter, r *http.Request) {
		id := r.URL.Query().Get("machine_id")
		if id == "foreign" {
			says(403, "foreign_machine")(w, r)
			return
		}
		mu.Lock()
		got = append(got, id)
		mu.Unlock()
		says(201, "")(w, r)
	}
	url, _ := serverSays(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "0")
		says(503, "x")(w, r)
	}, takes)
	if _, err := f.sendAll(t.Context(), map[string]hold{}); err != nil { // not enrolled
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f.Send(ctx) }()
	f.set(func() { f.target.URL = url })
	f.keepOne(t, "b")
	for end := time.Now().Add(time.Minute); f.Status().Sent < 2; {
		if time.Now().After(end) {
			t.Fatalf("%+v", f.Status())
		}
		f.Wake() // in place of the pause
		select {
		case err := <-done:
			t.Fatal(err)
		case <-time.After(5 * time.Millisecond):
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if s := f.Status(); s.Waiting != 1 || !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("%v, %+v", got, s)
	}
}
