package users

import (
	"net/http"
	"net/url"
	"slices"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/ui/frame"
)

// maxChoice is how many groups a page offers to choose from.
const maxChoice = "200"

// choice is what somebody may do, and where, to choose from.
type choice struct {
	Role  string
	Roles []string
	// Limited means that they see some groups alone.
	Limited bool
	Groups  []groupChoice
}

type groupChoice struct {
	Name   string
	Chosen bool
}

// choices returns what there is to choose from, with what was chosen: what a refused form has
// of it, unless that is of another version than there is.
func choices(v *frame.Visit, now api.UserAccess, version string) (choice, error) {
	if v.Form.Has("role") && v.Form.Get("version") == version {
		now = accessOf(v)
	}
	c := choice{Role: now.Role, Roles: []string{"viewer", "manager", "auditor", "admin"}, Limited: now.Groups != nil}
	var all api.GroupList
	if _, err := v.Do(frame.Call{Method: http.MethodGet, Path: frame.Path("groups"), Query: url.Values{"limit": {maxChoice}}, Into: &all}); err != nil {
		return c, err
	}
	names := slices.Clone(now.Groups)
	for i := range all.Groups {
		if !slices.Contains(names, all.Groups[i].Name) {
			names = append(names, all.Groups[i].Name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		c.Groups = append(c.Groups, groupChoice{name, slices.Contains(now.Groups, name)})
	}
	return c, nil
}

// accessOf reads what was chosen. Groups count where the role can be limited to them.
func accessOf(v *frame.Visit) api.UserAccess {
	a := api.UserAccess{Role: v.Form.Get("role")}
	if v.Form.Get("where") == "groups" {
		a.Groups = append([]string{}, v.Form["group"]...)
	}
	return a
}
