package unit

import (
	"net"
	"slices"
	"strings"
	"time"

	systemd "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"

	"activity-tracker.example/hostd/roster"
)

const (
	// unitPrefix and unitSuffix enclose the session's id in a unit's name.
	unitPrefix = "trackerd-session-"
	// seatPrefix begins the names of the units that read a seat's devices.
	seatPrefix = "trackerd-seat-"
	unitSuffix = ".service"
	// slice holds all helpers, so that one limit can be set on all of them.
	slice = "trackerd.slice"
	// memoryMax bounds a helper, in bytes: it needs about 2 MB, and 20 times
	// that leaves room for a page cache and a bad day.
	memoryMax = 48 << 20
	// tasksMax bounds its threads: Go starts about seven.
	tasksMax = 24
	// oomScore makes the kernel's choice fall on a helper before a user's work.
	oomScore = 500
	// cpuWeight is below the users' 100: counting may lag, work may not.
	cpuWeight = 50
)

// Name returns the name of a session's unit. logind takes only letters and
// digits in ids; anything else is escaped as systemd-escape does.
func Name(t roster.Tracked) string {
	var b strings.Builder
	for _, c := range []byte(t.Key.ID) {
		if c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' {
			b.WriteByte(c)
			continue
		}
		const hexDigits = "0123456789abcdef"
		b.WriteString(`\x`)
		b.WriteByte(hexDigits[c>>4])
		b.WriteByte(hexDigits[c&15])
	}
	if t.Source == roster.SourceSeat {
		return seatPrefix + b.String() + unitSuffix
	}
	return unitPrefix + b.String() + unitSuffix
}

// filter is systemd's (bas): whether it is an allow-list, and its entries.
type filter struct {
	Allow   bool
	Entries []string
}

// mount is one bind mount (ssbt): source, destination, whether a missing
// source is no error, and flags.
type mount struct {
	Source, Destination string
	IgnoreMissing       bool
	Flags               uint64
}

// prefix is one network (iayu).
type prefix struct {
	Family  int32
	Address []byte
	Bits    uint32
}

// execCommand is one command (sasb): path, arguments, whether failing is fine.
type execCommand struct {
	Path         string
	Args         []string
	IgnoreResult bool
}

func prop(name string, value any) systemd.Property {
	return systemd.Property{Name: name, Value: dbus.MakeVariant(value)}
}

// properties is the unit's whole setting. What a helper needs is its socket, what it
// reads and its clock; all else is taken away: files by the helper itself or by
// mounts (sandbox_source.go).
func properties(u Unit, socket int) []systemd.Property {
	p := slices.Concat(command(u, socket), isolation(), limits())
	switch {
	case u.Source == roster.SourceSeat:
		p = append(p, seatAccess()...)
	case confinesItself(u):
		return slices.Concat(p, sessionAccess(u), landlockCalls(), more(u))
	default:
		p = slices.Concat(p, sessionAccess(u), sessionMounts())
	}
	return slices.Concat(p, mounts(), more(u))
}

// more is what a unit that is no helper needs beyond one's, and its limit.
func more(u Unit) []systemd.Property {
	if u.Limit == 0 {
		return nil
	}
	return []systemd.Property{
		prop("SystemCallFilter", filter{Allow: true, Entries: u.Calls}), prop("RuntimeMaxUSec", uint64(u.Limit/time.Microsecond)),
	}
}

// command is what the unit runs, and how it ends.
func command(u Unit, socket int) []systemd.Property {
	at := []systemd.Property{
		prop("StandardInputFileDescriptor", dbus.UnixFD(socket)),
		prop("StandardOutput", "journal"), // it would follow the socket
	}
	if confinesItself(u) {
		at = []systemd.Property{prop("StandardOutputFileDescriptor", dbus.UnixFD(socket))}
	}
	return append(at,
		prop("Description", u.Description),
		prop("Type", "exec"), // the start fails where the program cannot be run
		prop("ExecStart", []execCommand{{Path: u.Command[0], Args: u.Command}}),
		prop("StandardError", "journal"), // it would follow the socket
		prop("Slice", slice),
		prop("CollectMode", "inactive-or-failed"),
		prop("TimeoutStopUSec", uint64(stopTimeout/time.Microsecond)),
		prop("Restart", "no"), // the daemon restarts it, with a new socket
		prop("Environment", []string{"GOMAXPROCS=1", "GOTRACEBACK=none"}),
	)
}

// isolation takes away what a helper never needs, but for files. No setting in it
// makes systemd set up a mount namespace.
func isolation() []systemd.Property {
	return []systemd.Property{
		prop("NoNewPrivileges", true),
		prop("CapabilityBoundingSet", uint64(0)),
		prop("AmbientCapabilities", uint64(0)),
		prop("PrivateNetwork", true),
		prop("DevicePolicy", "closed"),
		prop("ProtectClock", true),
		prop("ProtectHostname", true),
		prop("RestrictNamespaces", uint64(0)), // none may be made
		prop("RestrictRealtime", true),
		prop("RestrictSUIDSGID", true),
		prop("LockPersonality", true),
		prop("MemoryDenyWriteExecute", true),
		prop("SystemCallArchitectures", []string{"native"}),
		// What a service needs, without what a program that only reads one
		// socket and writes another never does.
		prop("SystemCallFilter", filter{Allow: true, Entries: []string{"@system-service"}}),
		prop("SystemCallFilter", filter{Allow: false, Entries: []string{
			"@privileged", "@resources", "@setuid", "@chown", "@keyring", "@aio", "@ipc",
		}}),
		prop("SystemCallErrorNumber", int32(1)), // EPERM
		prop("IPAddressDeny", everyNetwork()),
		prop("KeyringMode", "private"),
		prop("UMask", uint32(0o077)),
	}
}

// mounts takes files away by a mount namespace. What it costs to set up grows
// with the mounts of the host, and each session has one (/run/user/UID).
func mounts() []systemd.Property {
	return []systemd.Property{
		prop("PrivateTmp", true),
		prop("PrivateDevices", true),
		prop("ProtectSystem", "strict"),
		prop("ProtectProc", "invisible"),
		prop("ProcSubset", "pid"),
		prop("ProtectKernelTunables", true),
		prop("ProtectKernelModules", true),
		prop("ProtectKernelLogs", true),
		prop("ProtectControlGroups", true),
		prop("PrivateIPC", true),
	}
}

// limits bounds what a helper may use.
func limits() []systemd.Property {
	return []systemd.Property{
		prop("MemoryMax", uint64(memoryMax)),
		prop("MemorySwapMax", uint64(0)),
		prop("TasksMax", uint64(tasksMax)),
		prop("CPUWeight", uint64(cpuWeight)),
		prop("LimitCORE", uint64(0)),
		prop("OOMScoreAdjust", int32(oomScore)),
	}
}

func everyNetwork() []prefix {
	const inet, inet6 = 2, 10 // AF_INET and AF_INET6
	return []prefix{
		{Family: inet, Address: net.IPv4zero.To4()},
		{Family: inet6, Address: net.IPv6zero},
	}
}
