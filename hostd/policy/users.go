package policy

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// askTimeout bounds one question to the directories of users: one in the network
	// that is away makes it wait.
	askTimeout = 5 * time.Second
	// answerFresh is for how long an answer is used again, and retryAfter for how long
	// that there was none.
	answerFresh = 10 * time.Minute
	retryAfter  = 30 * time.Second
	// asksAtOnce bounds the questions that are open at a time.
	asksAtOnce = 4
)

// Standing is whether a user may be measured.
type Standing int

// The standings of a user.
const (
	Measured   Standing = iota
	Excluded            // by name or group
	Unresolved          // it is not known yet, or cannot be
)

// Directory answers who is in a group, and in which groups somebody is, by number.
type Directory interface {
	Group(ctx context.Context, name string) (gid string, err error)
	GroupsOf(ctx context.Context, user string) (gids []string, err error)
}

// Users decides who is not measured at all. Groups are asked for in the background:
// until all answers are there a user is unresolved. Make one with NewUsers; it is safe
// for concurrent use.
type Users struct {
	directory Directory
	changed   func() // called when an answer came
	now       func() time.Time
	room      chan struct{}

	mu     sync.Mutex
	names  []string
	groups []string
	known  map[string]*answer // "@group" and "user"
}

// answer is what was last asked, and what came.
type answer struct {
	asking bool
	until  time.Time
	gids   []string
	err    error
}

// NewUsers excludes nobody yet.
func NewUsers(d Directory, changed func(), now func() time.Time) *Users {
	return &Users{directory: d, changed: changed, now: now, room: make(chan struct{}, asksAtOnce), known: map[string]*answer{}}
}

// Exclude sets who is excluded: names, and groups as @name.
func (u *Users) Exclude(list []string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.names, u.groups = nil, nil
	for _, name := range list {
		if group, is := strings.CutPrefix(name, "@"); is {
			u.groups = append(u.groups, group)
		} else {
			u.names = append(u.names, name)
		}
	}
}

// Standing returns whether a user may be measured; problem is what is in the way of
// knowing.
func (u *Users) Standing(user string) (s Standing, problem string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if slices.Contains(u.names, user) {
		return Excluded, ""
	}
	if len(u.groups) == 0 {
		return Measured, ""
	}
	theirs, ok, problem := u.ask(user, func(ctx context.Context) ([]string, error) { return u.directory.GroupsOf(ctx, user) })
	standing := Measured
	if !ok {
		standing = Unresolved
	}
	for _, name := range u.groups {
		gid, ok, trouble := u.ask("@"+name, func(ctx context.Context) ([]string, error) {
			gid, err := u.directory.Group(ctx, name)
			return []string{gid}, err
		})
		if !ok {
			standing = Unresolved
			problem = firstOf(problem, trouble)
			continue
		}
		if slices.Contains(theirs, gid[0]) {
			return Excluded, ""
		}
	}
	return standing, problem
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// ask returns what is known, and asks anew where that is nothing or old: an old answer
// holds until the next, seconds later, so that nobody's measuring ends meanwhile. The
// caller holds the lock.
func (u *Users) ask(key string, question func(context.Context) ([]string, error)) (gids []string, ok bool, problem string) {
	a := u.known[key]
	if a == nil {
		a = &answer{}
		u.known[key] = a
	}
	fresh := u.now().Before(a.until) && a.until.Sub(u.now()) <= answerFresh // else the clock was set back
	if !fresh && !a.asking {
		a.asking = true
		go u.resolve(a, question)
	}
	switch {
	case a.err != nil:
		return nil, false, a.err.Error()
	case a.gids == nil:
		return nil, false, ""
	}
	return a.gids, true, ""
}

// resolve asks one question and keeps its answer.
func (u *Users) resolve(a *answer, question func(context.Context) ([]string, error)) {
	u.room <- struct{}{}
	ctx, cancel := context.WithTimeout(context.Background(), askTimeout)
	gids, err := question(ctx)
	cancel()
	<-u.room
	u.mu.Lock()
	a.asking, a.gids, a.err, a.until = false, gids, err, u.now().Add(answerFresh)
	if err != nil {
		a.until = u.now().Add(retryAfter)
	}
	u.mu.Unlock()
	u.changed()
}

// Prune forgets users that nobody asks about any more.
func (u *Users) Prune() {
	u.mu.Lock()
	defer u.mu.Unlock()
	for key, a := range u.known {
		if !a.asking && u.now().Sub(a.until) > answerFresh {
			delete(u.known, key)
		}
	}
}

// Getent asks the system's directories (LDAP's and SSSD's users too).
type Getent struct{}

// Group implements Directory.
func (Getent) Group(ctx context.Context, name string) (string, error) {
	fields, err := getent(ctx, "group", name)
	if err != nil {
		return "", fmt.Errorf("the group @%s: %w", name, err)
	}
	const groupFields, gidField = 4, 2
	if len(fields) != groupFields || fields[0] != name {
		return "", fmt.Errorf("the group @%s: 'getent group' answers what makes no sense", name)
	}
	return fields[gidField], nil
}

// GroupsOf implements Directory. A user's own group is known by passwd alone.
func (Getent) GroupsOf(ctx context.Context, user string) ([]string, error) {
	account, err := getent(ctx, "passwd", user)
	if err != nil {
		return nil, fmt.Errorf("the groups of %s: %w", user, err)
	}
	const passwdFields, gidField = 7, 3
	if len(account) != passwdFields {
		return nil, fmt.Errorf("the groups of %s: 'getent passwd' answers what makes no sense", user)
	}
	others, err := getent(ctx, "initgroups", user)
	if err != nil {
		return nil, fmt.Errorf("the groups of %s: %w", user, err)
	}
	// "NAME  GID GID…": the name may have blanks, but then so has the start.
	gids := strings.Fields(strings.TrimPrefix(others[0], user))
	return append(gids, account[gidField]), nil
}

// getent returns the fields of one line.
func getent(ctx context.Context, database, key string) ([]string, error) {
	out, err := exec.CommandContext(ctx, "getent", "--", database, key).Output()
	if ctx.Err() != nil {
		return nil, fmt.Errorf("'getent %s' did not answer within %s", database, askTimeout)
	}
	if err != nil {
		return nil, errors.New("there is none of that name, or whoever knows it cannot be reached")
	}
	return strings.Split(strings.TrimSpace(string(out)), ":"), nil
}
