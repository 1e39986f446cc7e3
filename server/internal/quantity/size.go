package quantity

import "fmt"

// Units of sizes, in bytes.
const (
	KiB = 1 << 10
	MiB = 1 << 20
	GiB = 1 << 30
	TiB = 1 << 40
)

// SizeText writes a size in the unit that leaves at most four digits before the
// point.
func SizeText(bytes int64) string {
	for _, unit := range []struct {
		size int64
		name string
	}{{TiB, "TiB"}, {GiB, "GiB"}, {MiB, "MiB"}} {
		if bytes >= unit.size {
			return fmt.Sprintf("%.1f %s", float64(bytes)/float64(unit.size), unit.name)
		}
	}
	return fmt.Sprintf("%.1f KiB", float64(bytes)/KiB)
}
