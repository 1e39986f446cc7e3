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

func compareAnswers(b *testing.B, versions [2]*answers, k question) {
	b.Helper()
	var costs, times [2][]time.Duration
	ask := func(i int) {
		a := versions[i]
		used := a.used()
		for range answersAtOnce {
			at := a.today.Add(-time.Duration(1+a.random.IntN(reportDays*24)) * time.Hour)
			took, _ := a.ask(b, k.path(name(1+a.random.IntN(a.reporting)), at))
			times[i] = append(times[i], took)
		}
		used = a.used().since(used)
		costs[i] = append(costs[i], (used.server+used.postgres)/answersAtOnce)
	}
	for i := range versions {
		ask(i)
	}
	costs, times = [2][]time.Duration{}, [2][]time.Duration{}
	before := stolenSoFar(b)
	for round := range rounds {
		for turn := range versions {
			ask((round + turn) % len(versions))
		}
	}
	taken := stolenSoFar(b).percentSince(before)
	for i, name := range []string{"before", "after"} {
		slices.Sort(costs[i])
		slices.Sort(times[i])
		b.Logf("%s: %v an answer (%v to %v), p50 %v, p99 %v", name, costs[i][rounds/2], costs[i][0], costs[i][rounds-1], p50(times[i]), p99(times[i]))
	}
	b.ReportMetric(float64(costs[1][rounds/2])/float64(costs[0][rounds/2]), "times-the-cost")
	b.ReportMetric(float64(p50(times[1]))/float64(p50(times[0])), "times-the-p50")
	b.ReportMetric(taken, "%-taken-by-others")
	b.ReportMetric(0, "ns/op") // it means nothing here
}
