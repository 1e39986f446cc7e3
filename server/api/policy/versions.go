package policy

import (
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf8"
)

// Limits of a reply.
const (
	// MaxLater bounds the versions of one policy that hold only later.
	MaxLater = 4
	// MaxHostGroups bounds the host groups that a host may be in.
	MaxHostGroups = 8
	// MaxReplyBytes bounds the reply to GET /api/policy: what holds and is still to come,
	// for all hosts and for each group.
	MaxReplyBytes = 8 << 20
)

// Version is a policy as it was written once: it holds from a moment on, for all hosts or
// for those of a host group, until a newer one does.
type Version struct {
	// Version grows by one with each policy that is written on the server.
	Version int64 `json:"version"`
	// HostGroup is nil for all hosts.
	HostGroup *string   `json:"host_group"`
	ValidFrom time.Time `json:"valid_from"`
	Policy    Document  `json:"policy"`
}

// Reply answers GET /api/policy: what holds for the host that asks.
type Reply struct {
	// Revision grows with every change of policies and of host groups. A host refuses a
	// reply whose revision is smaller than that of the one that it holds.
	Revision int64 `json:"revision"`
	// None means that there is no policy for this host, now or later: its file alone
	// decides what is measured.
	None bool `json:"none"`
	// Policies are the versions that hold now and those that will, of the policy for all
	// hosts and of each host group that the host is in.
	Policies []Version `json:"policies"`
}

// ParseReply reads a reply and checks all of it. A field that it does not know is passed
// over: the server may be newer.
func ParseReply(data []byte) (Reply, error) {
	if len(data) > MaxReplyBytes {
		return Reply{}, tooLarge("", "a reply has at most %d bytes", MaxReplyBytes)
	}
	if !utf8.Valid(data) {
		return Reply{}, wrong("", "not UTF-8")
	}
	var r Reply
	if err := json.Unmarshal(data, &r); err != nil {
		return Reply{}, decodeError(err)
	}
	switch {
	case r.Revision < 0:
		return Reply{}, wrong("revision", "is negative")
	case r.None != (len(r.Policies) == 0):
		return Reply{}, wrong("none", "does not fit to the policies")
	case len(r.Policies) > (1+MaxHostGroups)*(1+MaxLater):
		return Reply{}, tooLarge("policies", "%d versions", len(r.Policies))
	}
	for i := range r.Policies {
		v := &r.Policies[i]
		field := fmt.Sprintf("policies[%d]", i)
		if v.Version < 1 || v.ValidFrom.IsZero() {
			return Reply{}, wrong(field, "has no version or valid_from")
		}
		if err := v.Policy.Validate(); err != nil {
			return Reply{}, fmt.Errorf("%s: %w", field, err)
		}
	}
	return r, nil
}

// At returns the version of each policy that holds at an instant: of those that are valid
// from then or before the latest, and of equally late ones the newest.
func (r Reply) At(t time.Time) []Version {
	var hold []Version
	for _, v := range r.Policies {
		if v.ValidFrom.After(t) {
			continue
		}
		found := false
		for i := range hold {
			if group(hold[i]) != group(v) {
				continue
			}
			found = true
			if v.Later(hold[i]) {
				hold[i] = v
			}
		}
		if !found {
			hold = append(hold, v)
		}
	}
	return hold
}

// Later reports whether a version takes the place of another of the same policy once
// both are valid.
func (v Version) Later(other Version) bool {
	if v.ValidFrom.Equal(other.ValidFrom) {
		return v.Version > other.Version
	}
	return v.ValidFrom.After(other.ValidFrom)
}

// Next returns the first instant after t at which another version begins to hold, or the
// zero time.
func (r Reply) Next(t time.Time) time.Time {
	var next time.Time
	for _, v := range r.Policies {
		if v.ValidFrom.After(t) && (next.IsZero() || v.ValidFrom.Before(next)) {
			next = v.ValidFrom
		}
	}
	return next
}

func group(v Version) string {
	if v.HostGroup == nil {
		return ""
	}
	return *v.HostGroup
}
