package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/testhost"
)

// measuredTimeout is for a helper's first report, which it makes within 5 s.
const measuredTimeout = 30 * time.Second

// counts are what somebody did, or what the API reports of them.
type counts struct {
	keys, clicks, scroll, distance int64
}

// desk is where the pointer stays close to, on both axes, in pixels: within the
// terminal's window.
const desk = 300

// person is one of the two who work in the demo.
type person struct {
	name string
	// lines are what they type, over and over; what the API knows of them is
	// only how many keys they took.
	lines []string
	// pause is how long they think between two things they do, on average.
	pause time.Duration
	rdp   *testhost.RDP

	mu  sync.Mutex
	did counts

	// What the API last answered, for the one goroutine that watches.
	machine api.Machine
	known   bool
	summary api.Summary
	// before is what the API counted of the pointer's way until work began:
	// at login it jumps to where the client has it.
	before int64
}

// done is what the person did so far.
func (p *person) done() counts {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.did
}

func (p *person) add(c counts) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.did.keys += c.keys
	p.did.clicks += c.clicks
	p.did.scroll += c.scroll
	p.did.distance += c.distance
}

// answered returns what the API reports of the person.
func (p *person) answered() counts {
	return counts{
		keys:     p.summary.KeyCount,
		clicks:   p.summary.MouseClicks,
		scroll:   p.summary.ScrollCount,
		distance: p.summary.MouseDistancePx - p.before,
	}
}

// logIn makes two users on the host and logs them in over RDP, at once.
func logIn(ctx context.Context, host *testhost.Host, say func(string, ...any)) ([]*person, error) {
	people := []*person{
		{name: "alice", pause: 300 * time.Millisecond, lines: []string{
			"dear all, the figures of the last quarter are below\n", "with kind regards\n",
		}},
		{name: "bob", pause: 900 * time.Millisecond, lines: []string{
			"order 4711 shipped\n", "order 4712 waits for payment\n",
		}},
	}
	errs := make(chan error, len(people))
	for _, p := range people {
		say("%s logs in over RDP", p.name)
		if _, err := host.AddUser(ctx, p.name); err != nil {
			return nil, fmt.Errorf("add %s: %w", p.name, err)
		}
		go func() { errs <- p.logIn(ctx, host) }()
	}
	var first error
	for range people {
		if err := <-errs; err != nil && first == nil {
			first = err
		}
	}
	if first != nil {
		return nil, first
	}
	say("waiting until trackctl says that both are measured")
	return people, waitMeasured(ctx, host, len(people))
}

// waitMeasured waits until the helpers of so many sessions report.
func waitMeasured(ctx context.Context, host *testhost.Host, sessions int) error {
	ctx, cancel := context.WithTimeout(ctx, measuredTimeout)
	defer cancel()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		said, err := host.Run(ctx, "trackctl", "--json", "sessions")
		if err != nil {
			return fmt.Errorf("ask trackctl: %w", err)
		}
		if strings.Count(said, `"reporting"`) == sessions {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait until both are measured: %w; trackctl said: %s", ctx.Err(), said)
		case <-tick.C:
		}
	}
}

func (p *person) logIn(ctx context.Context, host *testhost.Host) error {
	rdp, err := host.Login(ctx, p.name, testhost.LoginOptions{})
	if err != nil {
		return fmt.Errorf("log %s in: %w", p.name, err)
	}
	p.rdp = rdp
	return nil
}

// sitDown takes the pointer to where the person works, which the comparison
// leaves out, and has what they type go into a file, not to the shell.
func (p *person) sitDown(ctx context.Context) error {
	if _, err := p.rdp.MoveTo(ctx, desk, desk); err != nil {
		return err
	}
	return p.typeText(ctx, "tee notes.txt\n")
}

// work does one thing after another until the deadline.
func (p *person) work(ctx context.Context, deadline time.Time) error {
	for i := 0; time.Now().Before(deadline); i++ {
		if err := p.act(ctx, i); err != nil {
			return fmt.Errorf("%s at work: %w", p.name, err)
		}
		// Between half and one and a half times their usual pause.
		timer := time.NewTimer(p.pause/2 + rand.N(p.pause))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
	return nil
}

// act is the i-th thing that a person does: mostly typing.
func (p *person) act(ctx context.Context, i int) error {
	switch i % 5 {
	case 1:
		x, y := desk-100+rand.IntN(200), desk-100+rand.IntN(200)
		n, err := p.rdp.MoveTo(ctx, x, y)
		p.add(counts{distance: int64(n)})
		return err
	case 2:
		if err := p.rdp.Click(ctx, 1, 1); err != nil {
			return err
		}
		p.add(counts{clicks: 1})
		return nil
	case 4:
		n, err := p.rdp.Scroll(ctx, 3)
		p.add(counts{scroll: int64(n)})
		return err
	}
	return p.typeText(ctx, p.lines[i%len(p.lines)])
}

func (p *person) typeText(ctx context.Context, text string) error {
	n, err := p.rdp.Type(ctx, text)
	p.add(counts{keys: int64(n)})
	return err
}
