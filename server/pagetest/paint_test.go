package pagetest

import (
	"fmt"
	"os"
	"slices"
	"testing"

	"activity-tracker.example/server/sample"
)

const (
	// paintPeople are on the pages, paints how often each is looked at.
	paintPeople, paints = 50, 15
)

// BenchmarkFirstPaint prints how soon a page shows something, where its style sheet and script
// were there before.
func BenchmarkFirstPaint(b *testing.B) {
	o := newOffice(b, sample.People(paintPeople, ""), 5)
	x := newBrowser(b).tab(b, o.URL, usual(), o.admin)
	for b.Loop() {
		for _, path := range []string{"/", "/day", "/people/" + o.person, "/hours"} {
			var took []float64
			for range paints {
				x.visit(path)
				x.await("the first paint", `performance.getEntriesByName("first-contentful-paint").length > 0`)
				var ms float64
				x.eval(`performance.getEntriesByName("first-contentful-paint")[0].startTime`, &ms)
				took = append(took, ms)
			}
			slices.Sort(took)
			fmt.Fprintf(os.Stdout, "first paint of %-12s p50 %3.0f ms, most %3.0f ms (aim 300 ms)\n", path, took[len(took)/2], took[len(took)-1])
		}
	}
}
