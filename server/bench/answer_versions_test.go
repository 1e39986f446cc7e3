package bench

import (
	"bufio"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// answersAtOnce are asked of a version before it is the other's turn.
const answersAtOnce = 100

// BenchmarkVersionsAnswers compares what an answer costs this version and another one,
// as BenchmarkVersions does for an event. Each has the same machines' days, reported to
// itself, and keeps its raw events.
func BenchmarkVersionsAnswers(b *testing.B) {
	before := os.Getenv(beforeEnv)
	if before == "" {
		b.Skipf("%s names no program to compare with", beforeEnv)
	}
	b.Setenv("TRACKERD_SERVER_COMPACT_AFTER_DAYS", "0")
	out := bufio.NewWriter(os.Stdout)
	defer func() { _ = out.Flush() }()
	machines := max(smallMachines+1, manyEvents(b)/(reportDays*minutesADay))
	var versions [2]*answers
	for i, program := range []string{before, buildServer(b)} {
		pg := startPostgres(b)
		versions[i] = newAnswers(b, program, pg, pg.URL(), machines, out)
		versions[i].awaitWritten(b)
	}
	for _, k := range append(kinds(), reports(versions[0].today)...) {
		b.Run(strings.ReplaceAll(k.name, " ", "-"), func(b *testing.B) {
			for range b.N {
				compareAnswers(b, versions, k)
			}
		})
	}
}

// reports are questions about longer times: a machine's year, and all machines' week.
func reports(today time.Time) []question {
	from, to := today.AddDate(0, 0, -yearDays).Format(time.DateOnly), today.Format(time.DateOnly)
	week := today.AddDate(0, 0, -daysAWeek).Format(time.DateOnly)
	var all []question
	for _, r := range []struct{ name, path string }{
		{"a year by day", "activity?by=day&from=" + from + "&machine_id=" + yearMachine},
		{"a year by month", "activity?by=month&from=" + from + "&machine_id=" + yearMachine},
		{"a year of applications", "apps?by=app&from=" + from + "&machine_id=" + yearMachine},
		{"all machines' week", "activity?by=day&from=" + week},
	} {
		all = append(all, question{r.name, func(string, time.Time) string {
			return "/api/reports/" + r.path + "&to=" + to + "&tz=Europe/Moscow"
		}})
	}
	return all
}

// answerCosts are what answers of a version cost, sorted by finish.
type answerCosts struct {
	// costs are the processor time of server and PostgreSQL an answer, one for each turn.
	costs, times []time.Duration
}

func (c *answerCosts) finish() {
	slices.Sort(c.costs)
	slices.Sort(c.times)
}

// compareAnswers asks each question twice: a second time within the minute it need not be
// written who looked.
func compareAnswers(b *testing.B, versions [2]*answers, k question) {
	b.Helper()
	var first, again [2]answerCosts
	turn := func(i int) {
		a := versions[i]
		paths := make([]string, answersAtOnce)
		for n := range paths {
			at := a.today.Add(-time.Duration(1+a.random.IntN(reportDays*24)) * time.Hour)
			paths[n] = k.path(name(1+a.random.IntN(a.reporting)), at)
		}
		for _, to := range []*answerCosts{&first[i], &again[i]} {
			used := a.used()
			for _, path := range paths {
				took, _ := a.ask(b, path)
				to.times = append(to.times, took)
			}
			used = a.used().since(used)
			to.costs = append(to.costs, (used.server+used.postgres)/answersAtOnce)
		}
	}
	for i := range versions {
		turn(i)
	}
	first, again = [2]answerCosts{}, [2]answerCosts{}
	before := stolenSoFar(b)
	for round := range rounds {
		for i := range versions {
			turn((round + i) % len(versions))
		}
	}
	taken := stolenSoFar(b).percentSince(before)
	reportAnswers(b, "first", first)
	reportAnswers(b, "again", again)
	b.ReportMetric(taken, "%-taken-by-others")
	b.ReportMetric(0, "ns/op") // it means nothing here
}

func reportAnswers(b *testing.B, what string, versions [2]answerCosts) {
	b.Helper()
	for i, name := range []string{"before", "after"} {
		v := &versions[i]
		v.finish()
		b.Logf("%s, %s: %v an answer (%v to %v), p50 %v, p99 %v", what, name, v.costs[rounds/2], v.costs[0], v.costs[rounds-1], p50(v.times), p99(v.times))
	}
	b.ReportMetric(float64(versions[1].costs[rounds/2])/float64(versions[0].costs[rounds/2]), "times-the-cost-"+what)
	b.ReportMetric(float64(p50(versions[1].times))/float64(p50(versions[0].times)), "times-the-p50-"+what)
}
