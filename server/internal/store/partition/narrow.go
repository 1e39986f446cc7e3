package partition

import "time"

// Narrow has rows kept no longer than that, whatever the settings; zero means as they are.
func (p *Partitions) Narrow(to Retention) {
	p.narrowed.Store(&Retention{
		Events: shorter(p.keep.Events, to.Events), Titles: shorter(p.keep.Titles, to.Titles), Rollups: shorter(p.keep.Rollups, to.Rollups),
	})
}

// shorter returns the shorter of two times, of which zero is for ever.
func shorter(a, b time.Duration) time.Duration {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}

// kept is for how long rows are kept.
func (p *Partitions) kept() Retention {
	if r := p.narrowed.Load(); r != nil {
		return *r
	}
	return p.keep
}
