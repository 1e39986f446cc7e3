package roster

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"activity-tracker.example/hostd/display"
	"activity-tracker.example/hostd/logind"
)

// Naming says how machine_ids are made.
type Naming struct {
	// Hostname and HostHash name the host in the default template.
	Hostname string
	HostHash string
	// Template is the configured machine_id; {user} stands for the user's
	// name. Empty means <hostname>-<hash>-{user}.
	Template string
}

// Wanted sets which kinds of session are measured.
type Wanted struct {
	// RDP, Local and Virtual are the kinds.
	RDP, Local, Virtual bool
	// VirtualUser is whose virtual displays are measured, and VirtualUID finds
	// their number; both are needed with Virtual.
	VirtualUser string
	VirtualUID  func() (uint32, error)
}

// Problem is why a session is not measured.
type Problem struct {
	// Username is whose session is not tracked.
	Username string
	// Text is what is wrong, and Advice what to do, for people.
	Text, Advice string
}

// Result is what Update decided.
type Result struct {
	// Tracked is every session to measure, oldest first.
	Tracked []Tracked
	// Problems is one entry for each user who is left out by mistake.
	Problems []Problem
	// Refused is one entry for each virtual display that is rightly not
	// measured: they are no mistake, but somebody may wonder.
	Refused []Problem
}

// Roster remembers which user stands for which machine_id. Make one with New;
// it is not safe for concurrent use.
type Roster struct {
	naming Naming
	wanted Wanted
	owners map[string]string // machine_id to username
}

// New makes an empty roster.
func New(n Naming, w Wanted) *Roster {
	return &Roster{naming: n, wanted: w, owners: make(map[string]string)}
}

// Update takes the whole list of sessions and X displays, and decides which of
// them are measured.
func (r *Roster) Update(sessions []logind.Session, displays []display.Display) Result {
	var res Result
	var list []candidate
	for i := range sessions {
		s := &sessions[i]
		if !isPerson(s) {
			continue
		}
		if !knownType(s.Type) {
			res.Problems = append(res.Problems, strange(s))
			continue
		}
		list = append(list, r.sources(s, displays)...)
	}
	if r.wanted.Virtual {
		list = append(list, r.virtual(sessions, displays, &res)...)
	}
	told := make(map[string]bool)
	for _, c := range newestPerDisplay(list) {
		t := c.Tracked
		t.MachineID = r.naming.MachineID(t.Username)
		owner, known := r.owners[t.MachineID]
		if !known {
			owner = t.Username
			r.owners[t.MachineID] = owner
		}
		if owner != t.Username {
			if !told[t.Username] {
				told[t.Username] = true
				res.Problems = append(res.Problems, clash(t.Username, owner, t.MachineID))
			}
			continue
		}
		res.Tracked = append(res.Tracked, t)
	}
	return res
}

func clash(user, owner, id string) Problem {
	return Problem{
		Username: user,
		Text: fmt.Sprintf(
			"user %q is not tracked: machine_id %q already stands for user %q; put {user} into machine_id in the configuration, or leave machine_id out",
			user, id, owner),
		Advice: "put {user} into machine_id in the configuration, then 'systemctl restart trackerd'",
	}
}

// candidate is a session that is measured unless something newer is in its place.
type candidate struct {
	Tracked
	since uint64
}

// newestPerDisplay returns the sessions to measure in the order in which they
// began. A display belongs to the newest session on it: an older one there
// has lost its X server, and would count the newer one's input again.
func newestPerDisplay(list []candidate) []candidate {
	slices.SortFunc(list, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.since, b.since), strings.Compare(a.Tracked.Name(), b.Tracked.Name()))
	})
	seen := make(map[string]bool)
	kept := make([]candidate, 0, len(list))
	for _, c := range slices.Backward(list) {
		number := screenless(c.Display)
		if number != "" && seen[number] {
			continue
		}
		seen[number] = true
		kept = append(kept, c)
	}
	slices.Reverse(kept)
	return kept
}

// screenless takes the screen off a display's name: ":10" of ":10.0".
func screenless(display string) string {
	number, _, _ := strings.Cut(display, ".")
	return number
}
