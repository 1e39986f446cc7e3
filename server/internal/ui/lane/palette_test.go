package lane_test

import (
	"os"
	"regexp"
	"testing"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/category"
	"activity-tracker.example/server/internal/ui/lane"
)

func named(list ...string) (categories []api.Category) {
	for i := 0; i+1 < len(list); i += 2 {
		categories = append(categories, api.Category{Name: list[i], Colour: list[i+1]})
	}
	return categories
}

// A category's colour stays, whatever comes before or after it; of those for which there is none
// all look alike.
func TestPalette(t *testing.T) {
	style := func(list []api.Category, name string) string {
		p := lane.NewPalette(list)
		for i := range list {
			if list[i].Name == name {
				return p.Of(i)
			}
		}
		return ""
	}
	for _, list := range [][]api.Category{
		named("Mail", "#0b5cad", "Web", "#d55e00", "Calls", "#00aa77"), named("Calls", "#00aa77", "Mail", "#0b5cad"), named("Renamed", "#d55e00", "Mail", "#0b5cad", "Calls", "#00aa77"),
		named("Mail", "#0b5cad", "Another blue", "#0b5cc0", "Calls", "#00aa77"),
	} {
		if mail, calls := style(list, "Mail"), style(list, "Calls"); mail != "k5" || calls != "k3" {
			t.Errorf("%+v: %s, %s", list, mail, calls)
		}
	}
	p := lane.NewPalette(named("a", "#000000", "b", "#000000", "c", "#000000", "d", "", "e", "x", "f", "#ffffff", "g", "#000000", "h", "#000000", "i", "#000000"))
	seen := map[string]int{}
	for i := range p {
		seen[p.Of(i)]++
	}
	if len(seen) != 9 || seen[lane.More] != 1 || p.Of(category.None) != lane.None || p.Of(99) != lane.More {
		t.Errorf("%v", seen)
	}
}

// The colours that categories are matched with are those of the style sheet.
func TestPaletteIsDrawn(t *testing.T) {
	css, err := os.ReadFile("../frame/static/css/5-person.css")
	if err != nil {
		t.Fatal(err)
	}
	all := regexp.MustCompile(`--(k\d): light-dark\((#[0-9a-f]{6}),`).FindAllStringSubmatch(string(css), -1)
	if len(all) != 8 {
		t.Fatalf("%q", all)
	}
	for _, one := range all {
		if got := lane.NewPalette(named("it", one[2])).Of(0); got != one[1] {
			t.Errorf("%s is drawn as %s, not %s", one[2], got, one[1])
		}
	}
}
