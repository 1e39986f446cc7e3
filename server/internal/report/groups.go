package report

import (
	"context"
	"fmt"
	"iter"
	"strconv"
	"strings"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store"
	"activity-tracker.example/server/internal/text"
)

const (
	// groupsDefault and groupsMax bound a page of groups.
	groupsDefault = 100
	groupsMax     = 1000
)

// errGroupName says what a group may be called.
const errGroupName = InvalidError("a group's name: want 1 to 128 bytes of printable characters, without spaces around, and not . or ..")

// nameable says whether a group can have that name. Not a dot or two: whatever
// handles a path takes them out of it.
func nameable(name string) bool {
	return name != "" && name != "." && name != ".." && len(name) <= api.MaxGroupBytes && text.Printable(name) && strings.TrimSpace(name) == name
}

// Groups gives a page of the groups in scope by name.
func (r *Reports) Groups(ctx context.Context, scope store.Scope, limit, cursor string) (api.GroupList, error) {
	reply := api.GroupList{Groups: []api.Group{}}
	n, err := parseLimit(limit, groupsDefault, groupsMax)
	if err != nil {
		return reply, err
	}
	after := ""
	if cursor != "" {
		if after, err = decodeCursor(cursorGroups, cursor); err != nil || !nameable(after) {
			return reply, errCursor
		}
	}
	list, err := r.store.Groups(ctx, scope, after, n+1)
	if err != nil {
		return reply, err
	}
	if len(list) > n {
		list = list[:n]
		reply.NextCursor = encodeCursor(cursorGroups, list[n-1].Name)
	}
	for _, g := range list {
		reply.Groups = append(reply.Groups, groupReply(g))
	}
	return reply, nil
}

// EachGroup gives all groups in scope from the cursor on.
func (r *Reports) EachGroup(ctx context.Context, scope store.Scope, cursor string) iter.Seq2[api.Group, error] {
	return pages(ctx, pageTimeout, cursor, func(ctx context.Context, cursor string) ([]api.Group, string, error) {
		list, err := r.Groups(ctx, scope, strconv.Itoa(groupsMax), cursor)
		return list.Groups, list.NextCursor, err
	})
}

// Group gives one group.
func (r *Reports) Group(ctx context.Context, scope store.Scope, name string) (api.Group, error) {
	if !nameable(name) {
		return api.Group{}, store.ErrNoGroup
	}
	g, err := r.store.GroupByName(ctx, scope, name)
	return groupReply(g), err
}

// AddGroup makes a group unless it exists, and says whether it did.
func (r *Reports) AddGroup(ctx context.Context, name string) (api.Group, bool, error) {
	if !nameable(name) {
		return api.Group{}, false, errGroupName
	}
	g, made, err := r.store.AddGroup(ctx, name)
	return groupReply(g), made, err
}

// RenameGroup renames a group.
func (r *Reports) RenameGroup(ctx context.Context, name string, patch api.GroupPatch) (api.Group, error) {
	if patch.Name == nil || !nameable(*patch.Name) {
		return api.Group{}, errGroupName
	}
	if !nameable(name) {
		return api.Group{}, store.ErrNoGroup
	}
	g, err := r.store.RenameGroup(ctx, name, *patch.Name)
	return groupReply(g), err
}

// RemoveGroup removes a group; its machines stay.
func (r *Reports) RemoveGroup(ctx context.Context, name string) error {
	if !nameable(name) {
		return store.ErrNoGroup
	}
	return r.store.RemoveGroup(ctx, name)
}

// SetMember puts a machine into a group or takes it out.
func (r *Reports) SetMember(ctx context.Context, group, machineID string, in bool) error {
	switch {
	case !nameable(group):
		return store.ErrNoGroup
	case !plausible(machineID):
		return store.ErrNotFound
	case in:
		return r.store.AddMember(ctx, group, machineID)
	}
	return r.store.RemoveMember(ctx, group, machineID)
}

// SetMembers makes these machines a group's, and no others.
func (r *Reports) SetMembers(ctx context.Context, group string, members api.GroupMembers) (api.GroupMembersReply, error) {
	reply := api.GroupMembersReply{Unknown: []string{}}
	if members.Machines == nil || len(members.Machines) > api.MaxGroupMembers {
		return reply, InvalidError(fmt.Sprintf("machines: want a list of at most %d machine_ids", api.MaxGroupMembers))
	}
	for i, id := range members.Machines {
		if !plausible(id) {
			return reply, InvalidError(fmt.Sprintf("machines[%d]: no machine_id", i))
		}
	}
	if !nameable(group) {
		return reply, store.ErrNoGroup
	}
	count, unknown, err := r.store.SetMembers(ctx, group, members.Machines)
	reply.Machines = int64(count)
	reply.Unknown = append(reply.Unknown, unknown...)
	return reply, err
}

func groupReply(g store.Group) api.Group {
	return api.Group{Name: g.Name, Machines: int64(g.Machines), CreatedAt: g.CreatedAt.UTC()}
}
