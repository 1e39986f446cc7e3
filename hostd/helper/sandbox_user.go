package helper

import (
	systemd "github.com/coreos/go-systemd/v22/dbus"
)

// userProperties is the setting of a unit of one person's own service manager.
// That one can make no namespaces without privileges, so what needs them
// (ProtectSystem=, PrivateNetwork= and the like) is left out; what the kernel
// lets anybody give up is given up. The helper is the person's own program, and
// protects itself against their others.
func userProperties(u Unit, stdin int) []systemd.Property {
	p := command(u, stdin)
	p = append(
		p,
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
	return append(p, limits()...)
}
