package audit

import (
	"strconv"
	"strings"
)

const (
	// separator stands between machine_ids in a detail.
	separator = ", "
	quote     = `"`
)

// Names returns machine_ids as one detail. One that could be read as several is quoted: hosts
// name their accounts as they like, and "x, anna" must not stand there as anna.
func Names(machineIDs ...string) string {
	list := make([]string, len(machineIDs))
	for i, id := range machineIDs {
		if list[i] = id; strings.Contains(id, separator) || strings.HasPrefix(id, quote) {
			list[i] = strconv.Quote(id)
		}
	}
	return strings.Join(list, separator)
}

// Named returns the machine_ids of a detail.
func Named(detail string) (machineIDs []string) {
	for more := true; more; {
		var id string
		if quoted, err := strconv.QuotedPrefix(detail); err == nil && strings.HasPrefix(quoted, quote) {
			if id, err = strconv.Unquote(quoted); err == nil {
				detail, more = strings.CutPrefix(detail[len(quoted):], separator)
				machineIDs = append(machineIDs, id)
				continue
			}
		}
		id, detail, more = strings.Cut(detail, separator)
		machineIDs = append(machineIDs, id)
	}
	return machineIDs
}

// ambiguous returns those of the machine_ids that could be read as several, as they are and
// as Names has them.
func (a *About) ambiguous() []string {
	list := []string{}
	for _, id := range a.MachineIDs {
		if name := Names(id); name != id {
			list = append(list, id, name)
		}
	}
	return list
}
