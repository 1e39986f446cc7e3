package bench

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

const (
	// machinesEnv is how many machines Now has at most, and watchersEnv how many watch it.
	machinesEnv, machinesUsually = "TRACKERD_SERVER_BENCH_MACHINES", 10_000
	watchersEnv, watchersUsually = "TRACKERD_SERVER_BENCH_WATCHERS", 20
	// pageQuestions are asked of each page; enough for a p99.
	pageQuestions, pageWarm = 200, 20
	// pageLeast are asked of a page that takes so long that all take over pagePatience.
	pageLeast, pagePatience = 20, time.Minute
	// streamsAUser is how many streams one login has in this test.
	streamsAUser = 8
	// watchFor is for how long they watch, reportEvery how often a machine reports meanwhile.
	watchFor, reportEvery = 30 * time.Second, 50 * time.Millisecond
	// streamed is up to how many machines Now changes by a stream, askEvery how often it is
	// asked for again, at the most and with more machines.
	streamed, askEvery = 2000, 30 * time.Second
	pagesPassword      = "correct horse battery"
)

// aim is what a page is to take.
type aim struct {
	name, path string
	want       time.Duration
}

// pages asks a server for pages, as browsers that have logged in do.
type pages struct {
	*answers
	cookie string
}

// BenchmarkPages prints how long the server takes to make pages, how large they are, and what
// it takes to have many watch Now, beside what it is to be.
func BenchmarkPages(b *testing.B) {
	b.Setenv("TRACKERD_SERVER_COMPACT_AFTER_DAYS", "0")
	pg := startPostgres(b)
	out := bufio.NewWriter(os.Stdout)
	defer func() { _ = out.Flush() }()
	machines := max(smallMachines+1, manyEvents(b)/(reportDays*minutesADay))
	program := buildServer(b)
	a := newAnswers(b, program, pg, pg.URL(), machines, out)
	a.awaitWritten(b)
	p := &pages{answers: a}
	p.cookie = p.login(b, "looker")
	for b.Loop() {
		before := stolenSoFar(b)
		watchers := numberFrom(b, watchersEnv, watchersUsually)
		p.look(b, machines)
		p.watch(b, watchers, machines)
		p.panels(b, machines)
		if many := numberFrom(b, machinesEnv, machinesUsually); many > machines {
			p.machines(b, "other-", 1, many-machines)
			p.run(b, "VACUUM ANALYZE machine")
			p.measure(b, aim{fmt.Sprintf("Now, %d machines", many), "/", 100 * time.Millisecond})
			p.watch(b, watchers, many)
		}
		fmt.Fprintf(out, "other guests of this hardware took %.1f %% of the processor time wanted meanwhile\n", stolenSoFar(b).percentSince(before))
	}
}

// numberFrom reads a number of the environment.
func numberFrom(b *testing.B, name string, usually int) int {
	b.Helper()
	text := os.Getenv(name)
	if text == "" {
		return usually
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		b.Fatalf("%s: %v", name, err)
	}
	return n
}

// login makes an administrator and returns the cookie of a login.
func (p *pages) login(b *testing.B, name string) string {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), p.program, "user", "invite", "--role", "admin", name)
	cmd.Env = append(os.Environ(), "DATABASE_URL="+p.url)
	link, err := cmd.Output()
	if err != nil {
		b.Fatal(err)
	}
	_, invitation, _ := strings.Cut(strings.TrimSpace(string(link)), "#")
	ask := func(path, body string) *http.Response {
		req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, p.base+path, strings.NewReader(body))
		if err != nil {
			b.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		res, err := p.client.Do(req)
		if err != nil {
			b.Fatal(err)
		}
		text, err := io.ReadAll(res.Body)
		if err = errors.Join(err, res.Body.Close()); err != nil || res.StatusCode != http.StatusOK {
			b.Fatalf("%s: %v, status %d: %s", path, err, res.StatusCode, text)
		}
		return res
	}
	ask("/api/invitation", fmt.Sprintf(`{"invitation":%q,"password":%q}`, invitation, pagesPassword))
	res := ask("/api/login", fmt.Sprintf(`{"login":%q,"password":%q}`, name, pagesPassword))
	value, _, _ := strings.Cut(res.Header.Get("Set-Cookie"), ";")
	return value
}

// get returns the time to the end of a page, and the page.
func (p *pages) get(b *testing.B, path string) (time.Duration, []byte) {
	b.Helper()
	req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, p.base+path, nil)
	if err != nil {
		b.Fatal(err)
	}
	req.Header.Set("Cookie", p.cookie)
	start := time.Now()
	res, err := p.client.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	took := time.Since(start)
	if err = errors.Join(err, res.Body.Close()); err != nil || res.StatusCode != http.StatusOK {
		b.Fatalf("GET %s: %v, status %d: %.300s", path, err, res.StatusCode, body)
	}
	return took, body
}

// look asks for each page many times.
func (p *pages) look(b *testing.B, machines int) {
	b.Helper()
	person := p.personOf(b)
	day := p.today.AddDate(0, 0, -2).Format(time.DateOnly)
	month := p.today.AddDate(0, 0, -8).Format(time.DateOnly)
	p.measure(b, aim{fmt.Sprintf("Now, %d machines", machines), "/", 30 * time.Millisecond})
	p.measure(b, aim{"Day, 50 people", "/day?date=" + day, 80 * time.Millisecond})
	p.measure(b, aim{"Person", "/people/" + person + "?date=" + day, 60 * time.Millisecond})
	p.measure(b, aim{"Hours, a month", "/hours?span=month&date=" + month, 400 * time.Millisecond})
}

// personOf is the id of somebody who has reported.
func (p *pages) personOf(b *testing.B) string {
	b.Helper()
	_, body := p.ask(b, "/api/people?machine_id="+name(2))
	var list struct {
		People []struct {
			ID string `json:"id"`
		} `json:"people"`
	}
	if err := json.Unmarshal(body, &list); err != nil || len(list.People) == 0 {
		b.Fatalf("%v: %s", err, body)
	}
	return list.People[0].ID
}

// maxPage is how large a page may be, compressed.
const maxPage = 60 << 10

// measure prints how long a page takes, and how large it is.
func (p *pages) measure(b *testing.B, a aim) {
	b.Helper()
	var took []time.Duration
	var body []byte
	for i, began := 0, time.Now(); i < pageWarm+pageQuestions && (len(took) < pageLeast || time.Since(began) < pagePatience); i++ {
		var t time.Duration
		if t, body = p.get(b, a.path); i >= pageWarm {
			took = append(took, t)
		}
	}
	slices.Sort(took)
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write(body); err != nil {
		b.Fatal(err)
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	fmt.Fprintf(p.out, "%-22s p50 %8v, p99 %8v (at most %v); %d kB, gzip %d kB (at most %d)\n", a.name,
		p50(took).Round(10*time.Microsecond), p99(took).Round(10*time.Microsecond), a.want, len(body)>>10, packed.Len()>>10, maxPage>>10)
	_ = p.out.Flush()
}

// watch has so many watch Now while machines report, and prints what that takes. As the page
// does, each reads the stream of up to so many machines, and asks for the page once in a
// while: with more machines that is all.
func (p *pages) watch(b *testing.B, watchers, machines int) {
	b.Helper()
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	var lines, asked atomic.Int64
	before := memoryOf(b, p.pid)
	cookie := ""
	for i := range watchers {
		if i%streamsAUser == 0 {
			cookie = p.login(b, fmt.Sprintf("watcher-%d-%d", machines, i/streamsAUser))
		}
		if machines <= streamed {
			go p.stream(ctx, cookie, &lines)
		}
		go p.askAgain(ctx, cookie, askEvery*time.Duration(i)/time.Duration(watchers), &asked)
	}
	for seen := int64(-1); lines.Load() != seen; { // until all have the snapshot
		seen = lines.Load()
		<-time.After(time.Second)
	}
	_, from := processTime(p.pid)
	memory, start, told, pages := memoryOf(b, p.pid), time.Now(), lines.Load(), asked.Load()
	for n := 0; time.Since(start) < watchFor; n++ {
		<-time.After(reportEvery)
		p.run(b, fmt.Sprintf("UPDATE machine SET last_ts = now() - interval '1 second' * %d, last_seen = now() WHERE machine_id = '%s'", n%2, name(1+n%smallMachines)))
	}
	_, to := processTime(p.pid)
	share := 100 * float64(to-from) / float64(time.Since(start))
	fmt.Fprintf(p.out, "%d people watch Now, %d machines: %.1f %% of a core (at most 20), %d lines and %.1f pages each; memory %d MB before, %d MB when all watch, %d MB after %v\n",
		watchers, machines, share, (lines.Load()-told)/int64(max(watchers, 1)), float64(asked.Load()-pages)/float64(max(watchers, 1)),
		before>>10, memory>>10, memoryOf(b, p.pid)>>10, watchFor)
	_ = p.out.Flush()
}

// askAgain asks for Now every now and then, as a page does that is open, beginning after a while.
func (p *pages) askAgain(ctx context.Context, cookie string, first time.Duration, asked *atomic.Int64) {
	for wait := first; ; wait = askEvery {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.base+"/", nil)
		if err != nil {
			return
		}
		req.Header.Set("Cookie", cookie)
		res, err := p.client.Do(req)
		if err != nil {
			return
		}
		if _, err = io.Copy(io.Discard, res.Body); err == nil && res.StatusCode == http.StatusOK {
			asked.Add(1)
		}
		_ = res.Body.Close()
	}
}

// stream reads what Now streams, to its end.
func (p *pages) stream(ctx context.Context, cookie string, lines *atomic.Int64) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.base+"/api/live", nil)
	if err != nil {
		return
	}
	req.Header.Set("Cookie", cookie)
	req.Header.Set("Accept", "text/event-stream")
	res, err := p.client.Do(req)
	if err != nil {
		return
	}
	defer func() { _ = res.Body.Close() }()
	for in := bufio.NewReader(res.Body); ; lines.Add(1) {
		if _, err := in.ReadSlice('\n'); err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return
		}
	}
}

// memoryOf is the resident memory of a process, in kB.
func memoryOf(b *testing.B, pid int) int {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Fatal(err)
	}
	found := regexp.MustCompile(`VmRSS:\s+(\d+) kB`).FindSubmatch(text)
	if found == nil {
		b.Fatalf("no memory of %d", pid)
	}
	n, err := strconv.Atoi(string(found[1]))
	if err != nil {
		b.Fatal(err)
	}
	return n
}
