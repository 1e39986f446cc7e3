package sso

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/users"
	"activity-tracker.example/server/internal/text"
)

const (
	// maxRolesBytes bounds the file of roles, which is read at once.
	maxRolesBytes = 1 << 20
	// maxGroups bounds the groups that a provider may name of one person.
	maxGroups = 5_000
)

// Roles is what groups of the provider give here, in the order of the file.
type Roles []grant

// grant is one line: whoever is in Group has the role.
type grant struct {
	group  string
	access users.Access
}

// ReadRoles reads lines of the form
//
//	GROUP AT THE PROVIDER -> ROLE
//	GROUP AT THE PROVIDER -> ROLE: GROUP HERE; ANOTHER
//
// An empty line and one that begins with # are comments. The error names the line.
func ReadRoles(r io.Reader) (Roles, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxRolesBytes+1))
	if err != nil {
		return nil, fmt.Errorf("reading: %w", err)
	}
	if len(b) > maxRolesBytes {
		return nil, fmt.Errorf("it is larger than %d bytes", maxRolesBytes)
	}
	var roles Roles
	number := 0
	for line := range strings.Lines(string(b)) {
		number++
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		g, err := readGrant(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		roles = append(roles, g)
	}
	if len(roles) == 0 {
		return nil, errors.New("no line gives a role: nobody could log in")
	}
	return roles, nil
}

// readGrant reads one line. A group's name at the provider may have any character, such
// as an LDAP name has: the last arrow counts.
func readGrant(line string) (grant, error) {
	at := strings.LastIndex(line, "->")
	if at < 0 || !text.Visible(line) {
		return grant{}, errors.New("want GROUP -> ROLE or GROUP -> ROLE: GROUP HERE; ANOTHER")
	}
	g := grant{group: strings.TrimSpace(line[:at])}
	role, groups, limited := strings.Cut(line[at+len("->"):], ":")
	g.access = users.Access{Role: directory.Role(strings.TrimSpace(role)), Limited: limited}
	if limited {
		for name := range strings.SplitSeq(groups, ";") {
			if name = strings.TrimSpace(name); name == "" {
				return grant{}, errors.New("a group's name is empty")
			}
			g.access.Groups = append(g.access.Groups, name)
		}
	}
	if g.group == "" {
		return grant{}, errors.New("the group's name at the provider is empty")
	}
	return g, g.access.Check()
}

// Access returns what these groups of the provider give; nil: nothing. The first line
// that fits has the role, and groups of all lines that fit with that role add up.
func (r Roles) Access(groups []string) *users.Access {
	var access *users.Access
	for _, g := range r {
		switch {
		case !slices.Contains(groups, g.group):
		case access == nil:
			first := g.access
			first.Groups = slices.Clone(first.Groups)
			access = &first
		case access.Role == g.access.Role && !g.access.Limited:
			access.Limited, access.Groups = false, nil
		case access.Role == g.access.Role && access.Limited:
			access.Groups = append(access.Groups, g.access.Groups...)
		}
	}
	return access
}
