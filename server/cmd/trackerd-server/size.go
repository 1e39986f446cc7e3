package main

import "fmt"

// Units of sizes, in bytes.
const (
	kib = 1 << 10
	mib = 1 << 20
	gib = 1 << 30
	tib = 1 << 40
)

// sizeText writes a size for people, in the unit that leaves at most four digits
// before the point.
func sizeText(bytes int64) string {
	for _, unit := range []struct {
		size int64
		name string
	}{{tib, "TiB"}, {gib, "GiB"}, {mib, "MiB"}} {
		if bytes >= unit.size {
			return fmt.Sprintf("%.1f %s", float64(bytes)/float64(unit.size), unit.name)
		}
	}
	return fmt.Sprintf("%.1f KiB", float64(bytes)/kib)
}
