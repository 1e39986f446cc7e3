// Package testhost boots disposable hosts of Debian 12 or 13 that run the real
// systemd, logind and xrdp, and drives them as people would: it logs users in
// over RDP and types, clicks, scrolls and moves there. Tests and the demo use
// it; so does a shell, through cmd/testhost.
//
// Package debian builds the tree that a host is a copy of. A host is a
// systemd-nspawn container over it, with its changes in memory (host.go,
// boot.go). Programs run there (exec.go), and packages, files and users are put
// there (install.go). A user of a host has a desktop (rdp.go), an RDP client with
// a screen (client.go) and hands (hands.go), whose input goes to that screen
// (internal/screen).
//
// Everything that belongs to a host lies in one cgroup, in namespaces that vanish
// with its processes, and in one folder below StateDir. A guard process that
// outlives the caller removes all of it when the caller closes the host, ends, or
// is killed, and at the latest after Options.MaxLife. Sweep removes what is left
// if even the guard was killed (guard.go).
//
// The machine needs to be Debian 12 or 13, root, with a mounted cgroup v2
// hierarchy; it may or may not be run by systemd (machine.go). Its own network is
// not touched: a host and its RDP clients sit in two network namespaces of their
// own, joined by a veth pair (internal/netns). Forward lets the host reach a server of
// the caller's (forward.go), DialContext the caller one of the host's (dial.go).
//
// What a container has not, such as a seat with a keyboard and a screen, the
// virtual machines of package testmachine have.
//
// The product's own tests are in e2e (hosts) and testmachine/e2e (machines); what both
// need is in internal/e2etest. `make test-host` runs those for every change, `make
// test-slow` the others; ACTIVITY_TRACKER_DEB and its like name what they install.
package testhost
