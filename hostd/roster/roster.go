package roster

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"activity-tracker.example/hostd/display"
	"activity-tracker.example/hostd/logind"
	"activity-tracker.example/server/api"
)

// Naming is how machine_ids are made.
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
	// lockers are the sessions that were seen locked, and whether they are.
	lockers map[logind.SessionKey]bool
}

// New makes an empty roster.
func New(n Naming, w Wanted) *Roster {
	return &Roster{naming: n, wanted: w, owners: make(map[string]string), lockers: make(map[logind.SessionKey]bool)}
}

// Update takes the whole list of sessions and X displays, and decides which of
// them are measured.
func (r *Roster) Update(sessions []logind.Session, displays []display.Display) Result {
	r.watchLockers(sessions)
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
	for _, c := range onePerDisplay(list, displays) {
		t := c.Tracked
		t.MachineID = r.naming.MachineID(t.Username)
		if locked, told := r.lockers[t.Key]; told {
			t.ScreenLocked = &locked
		}
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

// watchLockers notes which sessions have a locker that reports to logind. A session
// that never was locked may have one that does not.
func (r *Roster) watchLockers(sessions []logind.Session) {
	was := r.lockers
	r.lockers = make(map[logind.SessionKey]bool)
	for i := range sessions {
		s := &sessions[i]
		if _, told := was[s.Key]; told || s.Locked {
			r.lockers[s.Key] = s.Locked
		}
	}
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

// onePerDisplay returns the sessions to measure in the order in which they began.
// A display belongs to whose server listens there, then to the newest session on
// it: an older one there has lost its X server, and would count the newer one's
// input again. That it is the newest does not suffice, since logind has any user
// name the display of their own session.
func onePerDisplay(list []candidate, displays []display.Display) []candidate {
	slices.SortFunc(list, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.since, b.since), strings.Compare(a.Tracked.Name(), b.Tracked.Name()))
	})
	servers := make(map[string]*display.Display, len(displays))
	for i := range displays {
		servers[displays[i].Name()] = &displays[i]
	}
	chosen := make(map[string]int)
	for i := range list {
		number := screenless(list[i].Display)
		before, taken := chosen[number]
		if !taken || list[i].claim(servers[number]) >= list[before].claim(servers[number]) {
			chosen[number] = i
		}
	}
	kept := make([]candidate, 0, len(list))
	for i := range list {
		if number := screenless(list[i].Display); number == "" || chosen[number] == i {
			kept = append(kept, list[i])
		}
	}
	return kept
}

// claim is how surely a display is a session's, by its server; more is surer.
// Nothing is known where nobody was seen to listen.
func (c *candidate) claim(server *display.Display) int {
	const rootUID = 0
	switch {
	case server == nil:
		return 0
	case server.UID == c.UID:
		return 2
	case server.UID == rootUID && c.Kind == api.SessionLocal:
		return 1 // only a seat's display manager runs servers as root
	}
	return 0
}

// Disputed reports whether sessions of several users name one display. Then it
// takes the list of displays to decide whose it is.
func Disputed(sessions []logind.Session) bool {
	owners := make(map[string]uint32)
	for i := range sessions {
		s := &sessions[i]
		if s.Display == "" || !isPerson(s) {
			continue
		}
		number := screenless(s.Display)
		if uid, named := owners[number]; named && uid != s.UID {
			return true
		}
		owners[number] = s.UID
	}
	return false
}

// screenless takes the screen off a display's name: ":10" of ":10.0".
func screenless(display string) string {
	number, _, _ := strings.Cut(display, ".")
	return number
}
