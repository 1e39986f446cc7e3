package doctor

import (
	"fmt"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/config"
	"activity-tracker.example/server/internal/quantity"
)

const (
	// lowSpace and littleSpace are parts of a file system: below them PostgreSQL
	// is about to stop, or will be soon.
	lowSpace    = 0.03
	littleSpace = 0.10
	// openToOthers are the bits of a mode that let others than the owner in.
	openToOthers = 0o077
)

// Disk checks the file system that the database lies on, of that size, with free
// bytes, which are that part of it. All sizes are in bytes.
func Disk(free int64, part float64, database int64) api.Check {
	c := ok("disk", "%s free (%.0f %%), the database has %s", quantity.SizeText(free), part*100, quantity.SizeText(database))
	switch advice := "make room, or keep less: --keep-events-days"; {
	case part < lowSpace:
		c.Result, c.Advice = api.CheckFailed, advice
	case part < littleSpace:
		c.Result, c.Advice = api.CheckWarning, advice
	}
	return c
}

// Folder is what was read of one of the private PostgreSQL's folders.
type Folder struct {
	Path string
	// Mode is its permissions.
	Mode uint32
	Err  error
}

// StateFolder checks who may enter the private PostgreSQL's folders, which lie in
// base.
func StateFolder(base string, folders []Folder) api.Check {
	const name = "state folder"
	for _, f := range folders {
		if f.Err != nil {
			return warning(name, f.Err.Error(),
				"run this as root or as the server's user")
		}
		if f.Mode&openToOthers != 0 {
			return failed(name, fmt.Sprintf("%s can be entered by others (mode %o)", f.Path, f.Mode),
				"chmod 700 "+f.Path)
		}
	}
	return ok(name, "%s, closed to others", base)
}

// TimeZones checks whether time zones can be read; err is why not.
func TimeZones(err error) api.Check {
	if err != nil {
		return failed("time zones", err.Error(),
			"the program is broken: install it again")
	}
	return ok("time zones", "known")
}

// Retention checks for how long data is kept.
func Retention(keep config.Retention) api.Check {
	text := func(d time.Duration) string {
		if d == 0 {
			return "for ever"
		}
		return quantity.DurationText(d)
	}
	c := ok("retention", "events %s, titles %s, roll-ups %s", text(keep.Events), text(keep.Titles), text(keep.Rollups))
	if keep.Rollups != 0 && (keep.Events == 0 || keep.Events > keep.Rollups) {
		c.Result, c.Advice = api.CheckWarning, "reports are made of roll-ups: keep them at least as long as events"
	}
	return c
}
