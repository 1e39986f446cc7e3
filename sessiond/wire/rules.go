package wire

import (
	"encoding/binary"
	"math"
)

// Limits of the rules for titles.
const (
	// MaxRules bounds all lists together: 200 of the host's own, and as many of its
	// server's.
	MaxRules = 400
	// MaxRuleLists is how many lists run one after the other: the host's own, then
	// that for all hosts, then those of the host's groups.
	MaxRuleLists = 10
	// MaxPatternBytes bounds a pattern, and what replaces a title.
	MaxPatternBytes = 512
	// MaxRulesBytes bounds the packet: 64 KiB of patterns, and a few bytes for each.
	MaxRulesBytes = 64<<10 + 16*MaxRules
	// FewRulesBytes is how long a packet without rules is at most.
	FewRulesBytes = 64
)

// The first bytes of a packet with rules. No Ceiling is as long, so that a helper
// which knows of no rules takes it for none.
const (
	rulesKind    = 0xF1
	rulesVersion = 1
)

// Rules are what the daemon lets a helper report of titles, and until when anything.
type Rules struct {
	// ID names them: reports that were filtered by them repeat it. Never 0.
	ID uint64
	// UntilUnix is when the helper is to end (seconds, UTC): what happens from then on
	// is not counted. 0 is never.
	UntilUnix int64
	// Titles is false where no title may be reported at all.
	Titles bool
	// Lists run one after the other, each on what the one before left; in each the
	// first rule that matches decides. At most MaxRuleLists.
	Lists [][]Rule
}

// Rule is one rule for titles. App and Title are RE2 patterns that the application
// and its title must match somewhere; empty: any.
type Rule struct {
	App, Title string
	// With takes the title's place; empty leaves it out.
	With string
}

// AppendRules appends the encoded packet to dst. What is beyond a limit must not be
// in it: ParseRules would refuse it.
func AppendRules(dst []byte, r *Rules) []byte {
	dst = append(dst, rulesKind, rulesVersion)
	dst = binary.AppendUvarint(dst, r.ID)
	dst = binary.AppendVarint(dst, r.UntilUnix)
	dst = append(dst, flag(r.Titles))
	dst = binary.AppendUvarint(dst, uint64(len(r.Lists)))
	for _, list := range r.Lists {
		dst = binary.AppendUvarint(dst, uint64(len(list)))
		for i := range list {
			dst = appendString(dst, list[i].App)
			dst = appendString(dst, list[i].Title)
			dst = appendString(dst, list[i].With)
		}
	}
	return dst
}

// IsRules reports whether a packet from the daemon has rules, whole or not.
func IsRules(b []byte) bool { return len(b) > 1 && b[0] == rulesKind }

// ParseRules reads a packet that AppendRules made. It keeps no reference to b, and
// its errors wrap ErrMalformed.
func ParseRules(b []byte) (Rules, error) {
	var r Rules
	if len(b) > MaxRulesBytes || !IsRules(b) || b[1] != rulesVersion {
		return r, malformedError("no rules of this version")
	}
	d := decoder{rest: b[2:]}
	r.ID = d.uvarint(math.MaxUint64)
	r.UntilUnix = d.varint()
	r.Titles = d.byte(1) == 1
	left := uint64(MaxRules)
	for range d.uvarint(MaxRuleLists) {
		list := d.rules(left)
		left -= uint64(len(list))
		r.Lists = append(r.Lists, list)
	}
	if d.err == nil && (len(d.rest) > 0 || r.ID == 0) {
		d.fail("bytes after the rules, or rules without a name")
	}
	if d.err != nil {
		return Rules{}, d.err
	}
	return r, nil
}

// rules reads one list of at most limit rules.
func (d *decoder) rules(limit uint64) []Rule {
	n := d.uvarint(limit)
	if d.err != nil {
		return nil
	}
	list := make([]Rule, 0, n)
	for range n {
		list = append(list, Rule{App: d.cut(MaxPatternBytes), Title: d.cut(MaxPatternBytes), With: d.string(MaxPatternBytes)})
	}
	return list
}

func flag(on bool) byte {
	if on {
		return 1
	}
	return 0
}

// Retitle sets each window's title in the report to what retitle returns, and makes
// one of those that are then the same.
func (r *Report) Retitle(retitle func(app, title string) string) {
	kept := r.Focus[:0]
	for _, f := range r.Focus {
		f.Title = retitle(f.App, f.Title)
		kept = mergeFocus(kept, f)
	}
	r.Focus = kept
}

// mergeFocus adds a window to a list, in which each is once.
func mergeFocus(list []Focus, f Focus) []Focus {
	for i := range list {
		same := &list[i]
		if same.App != f.App || same.Title != f.Title {
			continue
		}
		same.DurationMS += f.DurationMS
		if same.ActiveMS == ActiveUnknown || f.ActiveMS == ActiveUnknown {
			same.ActiveMS = ActiveUnknown
		} else {
			same.ActiveMS += f.ActiveMS
		}
		return list
	}
	return append(list, f)
}
