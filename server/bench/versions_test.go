package bench

import (
	"fmt"
	"os"
	"slices"
	"testing"
	"time"
)

const (
	// beforeEnv names the program of another version, to compare with.
	beforeEnv = "TRACKERD_SERVER_BENCH_BEFORE"
	// rounds is how often each version is measured at each size; by turns, so that
	// whatever else happens on the machine happens to both.
	rounds = 10
	// longerBack is where the events of a size begin, in days: ten rounds of the
	// fastest take some 18.
	longerBack = 25
)

// BenchmarkVersions compares what an event costs this version and another one, each
// on a PostgreSQL of its own, at 5, 100 and 1,000 events a request:
//
//	TRACKERD_SERVER_BENCH_BEFORE=/path/of/another/trackerd-server go test -run '^$' -bench Versions -benchtime 1x ./bench
//
// Medians count, since other guests of the hardware take their share at times; it is
// printed beside them.
func BenchmarkVersions(b *testing.B) {
	before := os.Getenv(beforeEnv)
	if before == "" {
		b.Skipf("%s names no program to compare with", beforeEnv)
	}
	var versions [2]*load
	for i, program := range []string{before, buildServer(b)} {
		pg := startPostgres(b)
		p, credentials := startProgram(b, program, pg.URL())
		versions[i] = newLoad(b, p, pg, credentials)
	}
	for i, size := range []int{5, 100, 1000} {
		b.Run(fmt.Sprintf("events=%d", size), func(b *testing.B) {
			for range b.N {
				for _, version := range versions {
					version.begin(longerBack, i)
				}
				compareVersions(b, versions, size)
			}
		})
	}
}

func compareVersions(b *testing.B, versions [2]*load, size int) {
	b.Helper()
	var costs [2][]time.Duration
	var rates [2][]float64
	before := stolenSoFar(b)
	for round := range rounds {
		// A B, B A, A B: neither always follows the other.
		for turn := range versions {
			i := (round + turn) % len(versions)
			f := versions[i].run(b, size)
			costs[i] = append(costs[i], f.cost())
			rates[i] = append(rates[i], f.perSecond)
		}
	}
	taken := stolenSoFar(b).percentSince(before)
	for i, name := range []string{"before", "after"} {
		slices.Sort(costs[i])
		slices.Sort(rates[i])
		b.Logf("%s: %.1f µs an event (%.1f to %.1f), %.0f events/s (%.0f to %.0f)", name,
			micros(costs[i][rounds/2]), micros(costs[i][0]), micros(costs[i][rounds-1]),
			rates[i][rounds/2], rates[i][0], rates[i][rounds-1])
	}
	b.ReportMetric(float64(costs[1][rounds/2])/float64(costs[0][rounds/2]), "times-the-cost")
	b.ReportMetric(rates[1][rounds/2]/rates[0][rounds/2], "times-the-events/s")
	b.ReportMetric(taken, "%-taken-by-others")
	b.ReportMetric(0, "ns/op") // it means nothing here
}
