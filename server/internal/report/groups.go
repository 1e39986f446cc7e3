package report

import (
	"cmp"
	"context"
	"fmt"
	"iter"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/directory"
)

const (
	// groupsDefault and groupsMax bound a page of groups.
	groupsDefault = 100
	groupsMax     = 1000
)

// errGroupName is the refusal of a name that no group can have.
const errGroupName = InvalidError("a group's name: want 1 to 128 bytes of printable characters, without spaces around, and not . or ..")

// Groups returns a page of the groups in scope by name.
func (r *Reports) Groups(ctx context.Context, scope directory.Scope, page Page) (api.GroupList, error) {
	page.Limit = cmp.Or(page.Limit, groupsDefault)
	list, next, err := r.groups(ctx, scope, page)
	if next != "" {
		next = encodeCursor(cursorGroups, next)
	}
	return api.GroupList{Groups: list, NextCursor: next}, err
}

// groups returns a page, and after which group the next begins, if any.
func (r *Reports) groups(ctx context.Context, scope directory.Scope, page Page) (groups []api.Group, next string, err error) {
	groups = []api.Group{}
	list, err := r.directory.Groups(ctx, scope, page.After, page.Limit+1)
	if err != nil {
		return groups, "", err
	}
	if len(list) > page.Limit {
		list = list[:page.Limit]
		next = list[page.Limit-1].Name
	}
	for _, g := range list {
		groups = append(groups, groupReply(g))
	}
	return groups, next, nil
}

// EachGroup returns all groups in scope from the page's beginning on.
func (r *Reports) EachGroup(ctx context.Context, scope directory.Scope, from Page) iter.Seq2[api.Group, error] {
	return Pages(ctx, pageTimeout, from.After, func(ctx context.Context, after string) ([]api.Group, string, error) {
		return r.groups(ctx, scope, Page{Limit: groupsMax, After: after})
	})
}

// Group returns one group.
func (r *Reports) Group(ctx context.Context, scope directory.Scope, name GroupName) (api.Group, error) {
	g, err := r.directory.GroupByName(ctx, scope, string(name))
	return groupReply(g), err
}

// AddGroup creates a group unless it exists, and reports whether it did. A name that
// no group can have is refused in words.
func (r *Reports) AddGroup(ctx context.Context, name string) (api.Group, bool, error) {
	if !nameable(name) {
		return api.Group{}, false, errGroupName
	}
	g, made, err := r.directory.AddGroup(ctx, name)
	return groupReply(g), made, err
}

// RenameGroup renames a group.
func (r *Reports) RenameGroup(ctx context.Context, name GroupName, patch api.GroupPatch) (api.Group, error) {
	if patch.Name == nil || !nameable(*patch.Name) {
		return api.Group{}, errGroupName
	}
	g, err := r.directory.RenameGroup(ctx, string(name), *patch.Name)
	return groupReply(g), err
}

// RemoveGroup removes a group; its machines stay.
func (r *Reports) RemoveGroup(ctx context.Context, name GroupName) error {
	return r.directory.RemoveGroup(ctx, string(name))
}

// Member is a machine's place in a group.
type Member struct {
	Group     GroupName
	MachineID MachineID
}

// AddMember puts a machine into a group.
func (r *Reports) AddMember(ctx context.Context, m Member) error {
	return r.directory.AddMember(ctx, string(m.Group), string(m.MachineID))
}

// RemoveMember takes a machine out of a group.
func (r *Reports) RemoveMember(ctx context.Context, m Member) error {
	return r.directory.RemoveMember(ctx, string(m.Group), string(m.MachineID))
}

// SetMembers makes these machines a group's, and no others.
func (r *Reports) SetMembers(ctx context.Context, group GroupName, members api.GroupMembers) (api.GroupMembersReply, error) {
	reply := api.GroupMembersReply{Unknown: []string{}}
	if members.Machines == nil || len(members.Machines) > api.MaxGroupMembers {
		return reply, InvalidError(fmt.Sprintf("machines: want a list of at most %d machine_ids", api.MaxGroupMembers))
	}
	for i, id := range members.Machines {
		if !plausible(id) {
			return reply, InvalidError(fmt.Sprintf("machines[%d]: no machine_id", i))
		}
	}
	count, unknown, err := r.directory.SetMembers(ctx, string(group), members.Machines)
	reply.Machines = int64(count)
	reply.Unknown = append(reply.Unknown, unknown...)
	return reply, err
}

func groupReply(g directory.Group) api.Group {
	return api.Group{Name: g.Name, Machines: int64(g.Machines), CreatedAt: g.CreatedAt.UTC()}
}
