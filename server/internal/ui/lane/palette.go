package lane

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/category"
)

// Styles of categories: of those that are in none, and of those for which no colour is left.
const (
	None = "none"
	More = "more"
)

// colours are those that categories are drawn in, as the style sheet has them on white: people
// with any sight tell them apart.
func colours() []string {
	return []string{"#c38700", "#499ac8", "#009e73", "#9e962b", "#0072b2", "#d55e00", "#cc79a7", "#2f3742"}
}

// Palette is in which style each category is drawn, by its place.
type Palette []string

// NewPalette sets for each category the colour that is nearest to its own, as long as there are
// any; of two with the same one the nearer has it. So it stays when another comes or goes,
// unless that one is nearer still, and in whatever order they are.
func NewPalette(categories []api.Category) Palette {
	type match struct{ class, colour, distance int }
	var all []match
	for class := range categories {
		for colour, hex := range colours() {
			all = append(all, match{class, colour, distance(categories[class].Colour, hex)})
		}
	}
	slices.SortFunc(all, func(a, b match) int {
		return cmp.Or(cmp.Compare(a.distance, b.distance), strings.Compare(categories[a.class].Name, categories[b.class].Name), cmp.Compare(a.colour, b.colour))
	})
	p, taken := make(Palette, len(categories)), map[int]bool{}
	for _, m := range all {
		if p[m.class] == "" && !taken[m.colour] {
			p[m.class], taken[m.colour] = fmt.Sprintf("k%d", m.colour+1), true
		}
	}
	return p
}

// Of returns the style of a category's place.
func (p Palette) Of(class int) string {
	switch {
	case class == category.None:
		return None
	case class < 0 || class >= len(p) || p[class] == "":
		return More
	}
	return p[class]
}

// distance is how different two colours look, roughly: the square, weighed by how red they are.
func distance(a, b string) int {
	x, y := channels(a), channels(b)
	const half, whole, green = 2, 256, 4
	red := (x[0] + y[0]) / half
	dr, dg, db := x[0]-y[0], x[1]-y[1], x[2]-y[2]
	return (half*whole+red)*dr*dr/whole + green*dg*dg + (half*whole+whole-1-red)*db*db/whole
}

// channels are the parts of a colour such as #0b5cad; of anything else, black.
func channels(hex string) (rgb [3]int) {
	const digits = 2
	n, err := strconv.ParseUint(strings.TrimPrefix(hex, "#"), 16, 32)
	if err != nil || len(hex) != 1+digits*len(rgb) {
		return rgb
	}
	return [3]int{int(n >> 16), int(n >> 8 & 0xff), int(n & 0xff)} //nolint:mnd // its bytes
}
