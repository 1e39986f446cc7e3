package roster

import (
	"fmt"
	"slices"
	"strings"

	"activity-tracker.example/hostd/logind"
	"activity-tracker.example/server/api"
)

// sesmanService is the PAM service under which xrdp's sesman opens sessions.
const sesmanService = "xrdp-sesman"

// Naming says how machine_ids are made.
type Naming struct {
	// Hostname and HostHash name the host in the default template.
	Hostname string
	HostHash string
	// Template is the configured machine_id; {user} stands for the user's
	// name. Empty means <hostname>-<hash>-{user}.
	Template string
}

// Problem is something that a person has to change for every user to be
// tracked.
type Problem struct {
	// Username is whose session is not tracked.
	Username string
	// Text says what is wrong and what to do, for people.
	Text string
}

// Result is what Update decided.
type Result struct {
	// Tracked is every session to measure, oldest first.
	Tracked []Tracked
	// Problems is one entry for each user who is left out by mistake.
	Problems []Problem
}

// Roster remembers which user stands for which machine_id. Make one with New;
// it is not safe for concurrent use.
type Roster struct {
	naming Naming
	owners map[string]string // machine_id to username
}

// New makes an empty roster.
func New(n Naming) *Roster {
	return &Roster{naming: n, owners: make(map[string]string)}
}

// Update takes the whole list of sessions and says which of them are measured:
// xrdp sessions with a display that are not about to end.
func (r *Roster) Update(sessions []logind.Session) Result {
	var res Result
	told := make(map[string]bool)
	for _, s := range newestPerDisplay(sessions) {
		id := r.naming.MachineID(s.User)
		owner, known := r.owners[id]
		if !known {
			owner = s.User
			r.owners[id] = owner
		}
		if owner != s.User {
			if !told[s.User] {
				told[s.User] = true
				res.Problems = append(res.Problems, r.clash(s.User, owner, id))
			}
			continue
		}
		res.Tracked = append(res.Tracked, Tracked{
			Key: s.Key, Source: SourceX11, MachineID: id, Username: s.User, UID: s.UID,
			Display: s.Display, Kind: api.SessionRDP,
		})
	}
	return res
}

func (r *Roster) clash(user, owner, id string) Problem {
	return Problem{Username: user, Text: fmt.Sprintf(
		"user %q is not tracked: machine_id %q already stands for user %q; put {user} into machine_id in the configuration, or leave machine_id out",
		user, id, owner)}
}

// newestPerDisplay gives the sessions to measure in the order in which they
// began. A display belongs to the newest session on it: an older one there
// has lost its X server, and would count the newer one's input again.
func newestPerDisplay(sessions []logind.Session) []logind.Session {
	var list []logind.Session
	for _, s := range sessions {
		if wanted(s) {
			list = append(list, s)
		}
	}
	slices.SortFunc(list, func(a, b logind.Session) int {
		if a.Key.SinceUnixMicro != b.Key.SinceUnixMicro {
			if a.Key.SinceUnixMicro < b.Key.SinceUnixMicro {
				return -1
			}
			return 1
		}
		return strings.Compare(a.Key.String(), b.Key.String())
	})
	seen := make(map[string]bool)
	kept := make([]logind.Session, 0, len(list))
	for _, s := range slices.Backward(list) {
		number, _, _ := strings.Cut(s.Display, ".")
		if !seen[number] {
			seen[number] = true
			kept = append(kept, s)
		}
	}
	slices.Reverse(kept)
	return kept
}

func wanted(s logind.Session) bool {
	return s.Class == "user" && s.Type == "x11" && s.Service == sesmanService &&
		s.State != "closing" && s.Display != "" && s.User != ""
}
