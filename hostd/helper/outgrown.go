package helper

import (
	"time"

	"activity-tracker.example/sessiond/wire"
)

// outgrown decides when a helper of an older version is replaced: at the end of an
// interval in which it has kept to its version although the daemon named a newer
// one, once the hands are still. The nil value replaces none.
type outgrown struct {
	interval time.Duration
	from     time.Time // reports from before may have been written unaware
	ends     int
}

// hearingTime is how long a helper may take to write in the version that the daemon
// named.
const hearingTime = time.Second

func newOutgrown(interval time.Duration, told time.Time) *outgrown {
	return &outgrown{interval: interval, from: told.Add(hearingTime)}
}

// by reports whether a report is the last one that the helper is to send.
func (o *outgrown) by(r *wire.Report) bool {
	if o == nil || r.Version >= wire.Version {
		return false
	}
	end := time.Unix(r.IntervalStartUnix, 0).Add(o.interval)
	if at := time.UnixMilli(r.TimeUnixMilli); at.Before(end) || at.Before(o.from) {
		return false
	}
	o.ends++
	return r.IdleMS >= uint64(stillFor/time.Millisecond) || o.ends >= maxOutgrown
}
