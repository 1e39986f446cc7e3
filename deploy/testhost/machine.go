package testhost

import (
	_ "embed" // the scripts
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"golang.org/x/sys/unix"
)

// checkMachine reports what is missing before anything is begun.
func checkMachine() error {
	if os.Geteuid() != 0 {
		return errors.New("test hosts need root: run this with sudo")
	}
	if err := unix.Access("/proc/self/ns/net", unix.R_OK); err != nil {
		return fmt.Errorf("the kernel has no network namespaces: %w", err)
	}
	if _, err := freeRDP(); err != nil {
		return err
	}
	return checkTools("systemd-nspawn", "nsenter", "unshare", "ip", "Xvfb")
}

// freeRDP returns the name of the machine's RDP client: Debian 12 has version 2,
// Debian 13 version 3.
func freeRDP() (string, error) {
	for _, name := range []string{"xfreerdp3", "xfreerdp"} {
		if _, err := exec.LookPath(name); err == nil {
			return name, nil
		}
	}
	return "", errors.New("an RDP client is missing; run: apt-get install freerdp3-x11, or freerdp2-x11 on Debian 12")
}

// toolPackages names the Debian package of each program that is used.
var toolPackages = map[string]string{
	"systemd-nspawn": "systemd-container",
	"nsenter":        "util-linux",
	"unshare":        "util-linux",
	"ip":             "iproute2",
	"Xvfb":           "xvfb",
}

func checkTools(names ...string) error {
	var missing []string
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			missing = append(missing, toolPackages[name])
		}
	}
	if missing != nil {
		return fmt.Errorf("programs are missing; run: apt-get install %s", strings.Join(missing, " "))
	}
	return nil
}
