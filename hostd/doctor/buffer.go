package doctor

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"activity-tracker.example/hostd/buffer"
	"activity-tracker.example/hostd/text"
	"activity-tracker.example/hostd/upload"
	"activity-tracker.example/server/api"
)

// minFree is how much the buffer's disk should have left, in bytes: bbolt needs room
// to write before it can delete.
const minFree = 64 << 20

func checkBuffer(f *Facts) api.Check {
	c := api.Check{
		Name: "buffer", Result: api.CheckOK,
		Detail: fmt.Sprintf("%s waiting, file of %d KiB", text.Count(int64(f.Buffer.Waiting), "event"), f.Buffer.FileBytes>>10),
	}
	if f.Disk.Err != nil {
		c.Result, c.Detail = api.CheckWarning, fmt.Sprintf("cannot tell how full the disk of %s is: %v", f.Disk.Folder, f.Disk.Err)
	} else if f.Disk.Free < minFree {
		c.Result, c.Detail = api.CheckFailed, fmt.Sprintf("only %d MiB are free on the disk of %s", f.Disk.Free>>20, f.Disk.Folder)
		c.Advice = "make room; counting goes on in memory as long as it can"
	}
	if f.Collecting.Err != nil {
		c.Result, c.Detail, c.Advice = api.CheckFailed, f.Collecting.Err.Error(), "make room or mend the disk"
		return c
	}
	problems := BufferProblems(f.Buffer)
	if len(problems) > 0 && c.Result == api.CheckOK {
		c.Result = api.CheckWarning
		c.Advice = "the journal ('journalctl -u trackerd') says when"
	}
	if len(problems) > 0 {
		c.Detail += "; " + strings.Join(problems, "; ")
	}
	return c
}

// BufferProblems returns what the buffer lost.
func BufferProblems(s buffer.Status) []string {
	var problems []string
	if s.Dropped > 0 {
		problems = append(problems, fmt.Sprintf("%s were dropped, oldest first, since the buffer was full", text.Count(int64(s.Dropped), "event")))
	}
	if s.Corrupt > 0 {
		problems = append(problems, fmt.Sprintf("%s in the buffer were damaged; check the disk", text.Count(int64(s.Corrupt), "value")))
	}
	if s.Replaced > 0 {
		problems = append(problems, fmt.Sprintf("the buffer was damaged and replaced; the old one is %s; check the disk", s.SetAside))
	}
	return problems
}

// checkRejected reports which events the server does not take: those that it may take
// later, and those that it never will.
func checkRejected(f *Facts) api.Check {
	c := api.Check{Name: "rejected", Result: api.CheckOK, Detail: "the server has taken all that it was sent"}
	var found, advice []string
	for _, g := range f.Uploading.Later {
		what, todo := LaterProblem(g, f.HostID)
		found = append(found, what)
		if !slices.Contains(advice, todo) {
			advice = append(advice, todo)
		}
	}
	for _, code := range slices.Sorted(maps.Keys(f.Buffer.Dead)) {
		found = append(found, fmt.Sprintf("%s rejected for good (%s)", text.Count(int64(f.Buffer.Dead[code]), "event"), code))
	}
	if len(f.Buffer.Dead) > 0 {
		advice = append(advice, "'trackctl rejected list' shows what was rejected for good; 'trackctl rejected retry' sends it again")
	}
	if f.Buffer.Forgotten > 0 {
		found = append(found, text.Count(int64(f.Buffer.Forgotten), "event")+" of people who were erased on the server forgotten here too")
	}
	if len(found) > 0 {
		c.Detail = strings.Join(found, "; ")
	}
	if len(advice) > 0 {
		c.Result, c.Advice = api.CheckWarning, strings.Join(advice, "; ")
	}
	return c
}

// LaterProblem returns why the events of a group wait on the host of this id, and what
// to do.
func LaterProblem(g upload.Group, hostID string) (what, todo string) {
	of := ""
	if g.MachineID != "" {
		of = " of " + g.MachineID
	}
	cause := fmt.Sprintf("the server says %s, which this version does not know", g.Code)
	todo = "look for a newer trackerd"
	switch g.Code {
	case string(api.CodeForeignMachine):
		cause = "another host reported this machine_id first"
		todo = "if this host took that one's place (it was reinstalled, say), run 'trackerd-server machine move MACHINE_ID --to " + hostID + "' on the server; " +
			"if both have the same machine_id in their configuration, give each its own"
	case string(api.CodeBadTimestamp):
		cause = "they are more than a day ahead of the server's clock"
		todo = "compare both clocks ('timedatectl'); they are taken when the server's has come so far"
	case upload.CodeOlderServer:
		cause = "the server is older than this trackerd, and takes no times in which nothing was collected"
		todo = "upgrade the server; all else is sent"
	case string(api.CodeUnknownMachine):
		cause = "they are times in which nothing was collected, and no record of this machine_id has come yet"
		todo = "nothing, where it is new; see which of its records were rejected otherwise ('trackctl rejected list')"
	case string(api.CodeTooManyMachines):
		cause = "the server takes no more machine_ids from this host"
		todo = "look at 'trackerd-server host list' on the server for how many it has"
	}
	return fmt.Sprintf("%s%s wait: %s; one is tried again at %s", text.Count(int64(g.Events), "event"), of, cause, g.NextTry.UTC().Format(timeLayout)), todo
}

// timeLayout is how people are shown a time.
const timeLayout = time.DateTime + " UTC"
