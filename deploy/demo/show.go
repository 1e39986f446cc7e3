package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"activity-tracker.example/testhost"
)

const (
	// refresh is how often the API is asked while somebody watches.
	refresh = 2 * time.Second
	// refreshPlain is how often where lines cannot be redrawn.
	refreshPlain = 10 * time.Second
	// settleTime is for the last record to end, be uploaded and stored.
	settleTime = 45 * time.Second
)

// distanceTolerance is how far a measured distance may be off: motion events
// are merged on their way through RDP.
const distanceTolerance = 0.01

// watch lets the people work and shows what the API answers, until it answers
// all that they did.
func watch(ctx context.Context, s settings, out io.Writer, srv *server, people []*person) error {
	start := time.Now()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	working := make(chan error, len(people))
	for _, p := range people {
		go func() { working <- p.work(ctx, start.Add(s.work)) }()
	}
	every := refreshPlain
	if s.live {
		every = refresh
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	table := &table{out: out, live: s.live}
	busy := len(people)
	settled := start.Add(s.work + settleTime)
	for {
		select {
		case err := <-working:
			if err != nil {
				return err
			}
			busy--
			continue
		case err := <-srv.ended:
			srv.ended <- err
			return fmt.Errorf("the server ended: %w\n%s", err, srv.lastWords())
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		if err := ask(ctx, srv, people, daysSince(start)); err != nil {
			return err
		}
		table.draw(time.Since(start), busy > 0, people)
		if busy == 0 && (compare(people) == nil || time.Now().After(settled)) {
			return nil
		}
	}
}

// begin has both sit down, and waits until the API knows of it, so that the
// way of their pointers until then is known.
func begin(ctx context.Context, srv *server, people []*person) error {
	start := time.Now()
	for _, p := range people {
		if err := p.sitDown(ctx); err != nil {
			return fmt.Errorf("%s sits down: %w", p.name, err)
		}
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		if err := ask(ctx, srv, people, daysSince(start)); err != nil {
			return err
		}
		ready := true
		for _, p := range people {
			// The keys came after the pointer's way, in the same reports.
			ready = ready && p.known && p.summary.KeyCount >= p.done().keys
			p.before = p.summary.MouseDistancePx
		}
		if ready {
			return nil
		}
		if time.Since(start) > settleTime {
			return fmt.Errorf("after %s the API does not know what both did: %w", settleTime, compare(people))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// daysSince returns the days in UTC from start until now.
func daysSince(start time.Time) []string {
	days := []string{start.UTC().Format(time.DateOnly)}
	if today := time.Now().UTC().Format(time.DateOnly); today != days[0] {
		days = append(days, today)
	}
	return days
}

// ask fetches what the API knows of each person.
func ask(ctx context.Context, srv *server, people []*person, days []string) error {
	for _, p := range people {
		m, known, err := srv.machineOf(ctx, p.name)
		if err != nil {
			return err
		}
		p.machine, p.known = m, known
		if !known {
			continue
		}
		if p.summary, err = srv.summaryOf(ctx, m.MachineID, days); err != nil {
			return err
		}
	}
	return nil
}

// compare is an error for each person whom the API does not know to have done
// exactly what they did.
func compare(people []*person) error {
	var errs []error
	for _, p := range people {
		did, says := p.done(), p.answered()
		off := math.Abs(float64(says.distance - did.distance))
		exact := says.keys == did.keys && says.clicks == did.clicks && says.scroll == did.scroll
		if !p.known || !exact || off > distanceTolerance*float64(did.distance) {
			errs = append(errs, fmt.Errorf("%s did %+v, the API says %+v", p.name, did, says))
		}
	}
	return errors.Join(errs...)
}

// table shows both people side by side; on a terminal it is drawn over itself.
type table struct {
	out   io.Writer
	live  bool
	drawn int
}

func (t *table) draw(since time.Duration, busy bool, people []*person) {
	var b strings.Builder
	if t.live && t.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA\x1b[J", t.drawn)
	}
	state := "at work"
	if !busy {
		state = "done; the last records are on their way"
	}
	fmt.Fprintf(&b, "\n  %3.0f s, %s\n", since.Seconds(), state)
	writeTable(&b, people)
	text := b.String()
	t.drawn = strings.Count(text, "\n")
	fmt.Fprint(t.out, text)
}

// writeTable writes what each did and, below, what the API answers. No line is
// wider than 80 columns: a terminal would break it, and draw could not go back.
func writeTable(out io.Writer, people []*person) {
	const form = "  %-21.21s %-7s %6s %6s %6s %7s %8s  %.8s\n"
	fmt.Fprintf(out, form, "", "status", "keys", "clicks", "scroll", "pixels", "active s", "in front")
	for _, p := range people {
		did := p.done()
		fmt.Fprintf(out, form, p.name+" did", "", number(did.keys), number(did.clicks), number(did.scroll), number(did.distance), "", "")
		if !p.known {
			fmt.Fprintf(out, form, "  the API answers", "-", "-", "-", "-", "-", "-", "nothing")
			continue
		}
		says, app := p.answered(), ""
		if len(p.summary.TopApps) > 0 {
			app = p.summary.TopApps[0].App
		}
		fmt.Fprintf(out, form, "  "+p.machine.MachineID, p.machine.Status, number(says.keys), number(says.clicks),
			number(says.scroll), number(says.distance), fmt.Sprintf("%.0f", p.summary.ActiveSeconds), app)
	}
}

func number(n int64) string { return fmt.Sprintf("%d", n) }

// printVerdict prints what was shown.
func printVerdict(out io.Writer, people []*person) {
	verdict := "The API answers exactly what was done: keys, clicks and scrolling; distance within 1 %."
	if err := compare(people); err != nil {
		verdict = "NOT EQUAL: " + err.Error()
	}
	fmt.Fprintf(out, "\n%s\n\n", verdict)
}

// printPages prints where the pages are, and who may look at them.
func printPages(out io.Writer, d *dashboard) {
	fmt.Fprintf(out, `The dashboard:           %s
  log in as              %s
  with the password      %s
  the two who work       alice and bob; the %d others are made up, and called %q

`, d.srv.url(), sampleLogin, d.password, len(d.people), sampleMark+": …")
}

// printNext prints how to look further while everything stays up.
func printNext(out io.Writer, srv *server, host *testhost.Host, first *person) {
	fmt.Fprintf(out, `The REST API:            %[1]s
  every machine          curl -H 'Authorization: Bearer %[2]s' %[1]s/api/machines
  %[3]s's day            curl -H 'Authorization: Bearer %[2]s' '%[1]s/api/activity/%[4]s/summary?date=%[5]s'
  record by record       curl -H 'Authorization: Bearer %[2]s' '%[1]s/api/activity/%[4]s/events?start=%[5]sT00:00:00Z&end=%[5]sT23:59:59Z'
  its description        curl %[1]s/api/openapi.json
The host (from this folder, as root):
  what root sees         bin/testhost exec --host %[6]s -- trackctl status
  what alice sees        bin/testhost exec --host %[6]s --user alice -- trackctl status
  the daemon             bin/testhost exec --host %[6]s -- systemctl status trackerd --no-pager
  a shell                bin/testhost exec --host %[6]s -- bash
  alice's screen         bin/testhost screenshot --host %[6]s alice alice.png
  let alice type         bin/testhost type --host %[6]s alice 'hello\n'
The server's log:        %[7]s

`, srv.url(), srv.viewer, first.name, first.machine.MachineID, time.Now().UTC().Format(time.DateOnly), host.ID(), srv.log())
}
