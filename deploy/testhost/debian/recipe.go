package debian

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// Suite is a release of Debian, by its code name.
type Suite string

// The releases that the product supports.
const (
	Bookworm Suite = "bookworm" // Debian 12
	Trixie   Suite = "trixie"   // Debian 13
)

// Suites are all of them, oldest first.
func Suites() []Suite { return []Suite{Bookworm, Trixie} }

// ParseSuite returns the suite of that name.
func ParseSuite(name string) (Suite, error) {
	if s := Suite(name); slices.Contains(Suites(), s) {
		return s, nil
	}
	return "", fmt.Errorf("no suite %q; there are %v", name, Suites())
}

// Recipe is all that decides what is in a tree. Two equal recipes share one.
type Recipe struct {
	Suite Suite
	// Name is what the tree is for, in one word; it is part of the folder's
	// name and decides nothing else.
	Name string
	// Packages are installed, with what they depend on but not what they
	// recommend.
	Packages []string
	// Customize is a shell script, which runs at the end on the machine as root.
	// $1 is the tree's folder. Empty is none.
	Customize string
}

// With returns the recipe with more packages, under another name.
func (r Recipe) With(name string, packages ...string) Recipe {
	r.Name = name
	r.Packages = slices.Concat(r.Packages, packages)
	return r
}

// minimal is what every tree has: enough to boot and to be looked at.
var minimal = []string{
	"systemd", "systemd-sysv", "dbus", "libpam-systemd", "init-system-helpers",
	"ca-certificates", "iproute2", "procps", "adduser",
}

// Bare is Debian as it is before anybody has installed anything: for what
// installs all it needs by itself.
func Bare(suite Suite) Recipe {
	return Recipe{Suite: suite, Name: "bare", Packages: minimal}
}

// XRDP is a host on which people log in over RDP, into a desktop of one window
// manager and one terminal, served by Xorg or by Xvnc. It has what the packages
// under test depend on, since hosts have no network to install it from.
func XRDP(suite Suite) Recipe {
	r := Bare(suite).With("xrdp",
		// Without xauth, which xrdp does not depend on, every local user may open
		// every display.
		"xrdp", "xorgxrdp", "xauth", "tigervnc-standalone-server", "x11-common", "openbox", "xterm",
		// A window manager that names no window, which nobody gets unless a test asks.
		"twm",
		// With these, tests look at a session from within.
		"x11-xserver-utils", "x11-utils", "xinput",
		// What trackerd-server recommends; no host starts it unless a test does.
		"postgresql",
	)
	if suite == Trixie {
		r = r.With("xrdp", "zenity") // of the other release it would bring 100 packages
	}
	r.Customize = customizeXRDP
	return r
}

// XFCE is XRDP with the desktop XFCE, which sessions start instead.
func XFCE(suite Suite) Recipe {
	r := XRDP(suite).With("xfce", "xfce4-session", "xfce4-panel", "xfce4-settings",
		"xfwm4", "xfdesktop4", "dbus-x11")
	r.Customize = customizeXRDP + customizeXFCE
	return r
}

// GNOME is a machine with GNOME Shell, which runs without a screen.
func GNOME(suite Suite) Recipe {
	return Bare(suite).With("gnome", "gnome-shell", "libpam-systemd", "dbus-user-session", "libgl1-mesa-dri")
}

// Compositors is a machine with Wayland compositors that run without a screen,
// besides GNOME's.
func Compositors(suite Suite) Recipe {
	return Bare(suite).With("compositors", "sway", "labwc", "kwin-wayland", "libpam-systemd", "dbus-user-session", "libgl1-mesa-dri")
}

// id names the tree after everything that decides what is in it.
func (r Recipe) id() string {
	h := sha256.New()
	for _, part := range slices.Concat([]string{string(r.Suite), r.sources(), customize, r.Customize}, r.Packages) {
		fmt.Fprintf(h, "%d:%s", len(part), part)
	}
	return strings.Join([]string{string(r.Suite), r.Name, hex.EncodeToString(h.Sum(nil))[:12]}, "-")
}

// sources is used in place of the machine's own apt sources, which may name
// foreign archives and another release. It stays in the tree.
func (r Recipe) sources() string {
	return fmt.Sprintf(`Types: deb
URIs: http://deb.debian.org/debian
Suites: %[1]s %[1]s-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://deb.debian.org/debian-security
Suites: %[1]s-security
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
`, r.Suite)
}
