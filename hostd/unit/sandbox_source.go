package unit

import (
	"slices"
	"strconv"

	systemd "github.com/coreos/go-systemd/v22/dbus"
	"golang.org/x/sys/unix"

	"activity-tracker.example/hostd/roster"
)

const (
	// seatUser reads input devices. The package makes it (sysusers.d); it has
	// no shell, no files, and is in no group but for this unit.
	seatUser = "trackerd-input"
	// sessionFiles bounds the descriptors of a session's helper: standard ones,
	// the display and Go's own.
	sessionFiles = 32
	// seatFiles bounds those of a seat's: at most 64 devices more, and as many
	// again while they are asked what they are.
	seatFiles = 192
)

// sessionAccess lets a helper run as the session's user and reach its display.
func sessionAccess(u Unit) []systemd.Property {
	return []systemd.Property{
		// By number: a name may hold what systemd refuses in names.
		prop("User", strconv.FormatUint(uint64(u.UID), 10)),
		prop("RestrictAddressFamilies", filter{Allow: true, Entries: []string{"AF_UNIX"}}),
		prop("LimitNOFILE", uint64(sessionFiles)),
	}
}

// sessionMounts shows a helper its display.
func sessionMounts() []systemd.Property {
	return []systemd.Property{
		// X listens there; PrivateTmp hides it otherwise.
		prop("BindReadOnlyPaths", []mount{{
			Source: "/tmp/.X11-unix", Destination: "/tmp/.X11-unix", IgnoreMissing: true,
		}}),
		prop("ProtectHome", "read-only"), // the X cookie may lie there
	}
}

// device is one entry (ss) of a unit's list of devices.
type device struct{ Path, Access string }

// seatAccess lets a helper read input devices, and nothing of any person's. It
// makes no socket: the one that it reports over is inherited.
func seatAccess() []systemd.Property {
	return []systemd.Property{
		prop("User", seatUser),
		prop("SupplementaryGroups", []string{"input"}),
		prop("DeviceAllow", []device{{Path: "char-input", Access: "r"}}),
		// Into the private /dev, which has none; the folder itself, so that it
		// shows devices that are plugged in later.
		prop("BindReadOnlyPaths", []mount{{
			Source: "/dev/input", Destination: "/dev/input", IgnoreMissing: true,
		}}),
		prop("ProtectHome", "yes"),
		prop("PrivateMounts", true),
		// A session's helper leaves its user's shared memory alone.
		prop("RemoveIPC", true),
		prop("RestrictAddressFamilies", filter{Allow: true, Entries: []string{}}),
		prop("LimitNOFILE", uint64(seatFiles)),
	}
}

// userProperties is the setting of a unit of one person's own service manager.
// That one can make no namespaces without privileges, so what needs them
// (ProtectSystem=, PrivateNetwork= and the like) is left out; what the kernel
// lets anybody give up is given up. The helper is the person's own program, and
// protects itself against their others.
func userProperties(u Unit, socket int) []systemd.Property {
	p := append(command(u, socket),
		prop("NoNewPrivileges", true),
		prop("RestrictNamespaces", uint64(0)),
		prop("RestrictAddressFamilies", filter{Allow: true, Entries: []string{"AF_UNIX"}}),
		prop("RestrictRealtime", true),
		prop("RestrictSUIDSGID", true),
		prop("LockPersonality", true),
		prop("MemoryDenyWriteExecute", true),
		prop("SystemCallArchitectures", []string{"native"}),
		prop("SystemCallFilter", filter{Allow: true, Entries: []string{"@system-service"}}),
		prop("SystemCallErrorNumber", int32(1)), // EPERM
		prop("LimitNOFILE", uint64(seatFiles)),
		prop("UMask", uint32(0o077)),
	)
	if confinesItself(u) {
		p = append(p, landlockCalls()...)
	}
	return slices.Concat(p, limits(), more(u))
}

// landlocked asks the kernel whether a program can give up files by itself, which
// takes less than a microsecond.
func landlocked() bool {
	version, _, errno := unix.RawSyscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	return errno == 0 && version >= 1
}

// confinesItself reports whether a unit's helper takes files from itself: it does so
// where its socket is at standard output. A version that cannot looks for the socket
// at standard input, and ends. The command line stays the same, so that a helper
// which is taken over runs as wanted. Only sessiond does it: of the others there are
// as many as seats.
func confinesItself(u Unit) bool { return u.Source == roster.SourceX11 && landlocked() }

// landlockCalls lets a helper confine itself, which systemd 252 counts as none of
// what a service needs, and takes away what Landlock leaves: to change what is
// known about a file (as a read-only mount refuses), and, before its version 3,
// how long it is.
func landlockCalls() []systemd.Property {
	return []systemd.Property{
		prop("SystemCallFilter", filter{Allow: true, Entries: []string{
			"landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self", "seccomp",
		}}),
		prop("SystemCallFilter", filter{Allow: false, Entries: []string{
			"chmod", "fchmod", "fchmodat", "fchmodat2", "truncate", "truncate64",
			"utime", "utimes", "futimesat", "utimensat", "utimensat_time64",
			"setxattr", "lsetxattr", "fsetxattr", "setxattrat",
			"removexattr", "lremovexattr", "fremovexattr", "removexattrat", "file_setattr",
		}}),
	}
}
