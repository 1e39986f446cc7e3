package testmachine

import (
	_ "embed" // the script

	"activity-tracker.example/testhost/debian"
)

var (
	//go:embed customize.sh
	customize string
	//go:embed customize-gdm.sh
	customizeGDM string
)

// Recipe is the tree of which a machine's disk is made: Debian's kernel, LightDM
// with openbox, Wayland compositors, and what the package trackerd depends on, since
// machines have no network to install it from.
func Recipe(suite debian.Suite) debian.Recipe {
	r := debian.Bare(suite).With("machine",
		"linux-image-amd64", "initramfs-tools", "lz4", "udev", "kmod", "openssh-server",
		"xserver-xorg-core", "xserver-xorg-input-libinput", "xinit", "xauth",
		"lightdm", "lightdm-gtk-greeter", "light-locker", "openbox", "xterm",
		"sway", "foot",
		// With these, tests look at a session from within.
		"x11-utils", "x11-xserver-utils", "xinput",
	)
	if suite != debian.Bookworm {
		// Debian 12 has no labwc; polkit, without which nobody may switch terminals,
		// comes with LightDM there.
		r.Packages = append(r.Packages, "labwc", "polkitd")
	}
	r.Customize = customize
	return r
}

// GDM is such a tree with GNOME's display manager in LightDM's place.
func GDM(suite debian.Suite) debian.Recipe {
	r := Recipe(suite).With("gdm", "gdm3")
	r.Customize += customizeGDM
	return r
}
