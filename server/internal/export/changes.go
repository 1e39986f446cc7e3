package export

import (
	"context"
	"iter"
	"slices"
	"strconv"
	"strings"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/looked"
	"activity-tracker.example/server/internal/store/audit"
	"activity-tracker.example/server/internal/store/directory"
)

const (
	// aboutPeople begins the kinds of changes whose subject is a person.
	aboutPeople = "person."
	// personDetail is the detail that names a person.
	personDetail = "person"
)

// changes returns what was changed about the person, the newest first. Nobody changes
// people so often that an index were worth it.
func (x *Export) changes(ctx context.Context) iter.Seq2[api.Change, error] {
	return func(yield func(api.Change, error) bool) {
		if err := x.writeMoves(ctx); err != nil {
			yield(api.Change{}, err)
			return
		}
		all, err := looked.ParsePage("", "")
		if err != nil {
			yield(api.Change{}, err)
			return
		}
		for c, err := range x.from.Looked.EachChange(ctx, directory.Scope{}, all) {
			if err == nil {
				var about bool
				if c, about = x.about(c); !about {
					continue
				}
			}
			if !yield(c, err) || err != nil {
				return
			}
		}
	}
}

// writeMoves has what rules moved be in the log.
func (x *Export) writeMoves(ctx context.Context) error {
	for {
		if more, err := x.from.People.WriteMoves(ctx); !more || err != nil {
			return err
		}
	}
}

// about reports whether a change was about the person, and returns it without what it
// names of others.
func (x *Export) about(c api.Change) (api.Change, bool) {
	subject, found := strings.HasPrefix(c.What, aboutPeople), false
	switch {
	case subject && x.isPerson(c.SubjectID):
		found = true
	case subject:
		c.Subject, c.SubjectID = nil, "" // somebody else, to or from whom an account came
	default:
		found = c.Subject != nil && x.isAccount(*c.Subject)
	}
	details := map[string]string{}
	for name, text := range c.Details {
		if name == personDetail && x.isPerson(text) {
			found = true
		}
		if own := x.ownAccounts(text); own != "" {
			text, found = own, true
		} else if subject {
			continue // the accounts of others
		}
		details[name] = text
	}
	c.Details = details
	return c, found
}

// isPerson reports whether an id is the person's, or of one whom an account was made
// with; no id is of whom only a part is seen.
func (x *Export) isPerson(id string) bool {
	if x.person.Partial {
		return false
	}
	if id == strconv.FormatInt(x.person.ID, 10) {
		return true
	}
	for _, h := range x.homes {
		if id == strconv.FormatInt(h.ID, 10) {
			return true
		}
	}
	return false
}

func (x *Export) isAccount(machineID string) bool {
	return slices.ContainsFunc(x.person.Accounts, func(m directory.Machine) bool { return m.MachineID == machineID })
}

// ownAccounts returns those of the machine_ids in a text that are the person's.
func (x *Export) ownAccounts(text string) string {
	if x.isAccount(text) {
		return text
	}
	return audit.Names(slices.DeleteFunc(audit.Named(text), func(id string) bool { return !x.isAccount(id) })...)
}
