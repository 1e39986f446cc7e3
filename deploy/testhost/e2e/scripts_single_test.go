package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/testhost"
	"activity-tracker.example/testhost/debian"
)

// TestSlowSingleUserScript sets a bare machine up for one person: without a
// desktop, then with a virtual display, then over RDP.
func TestSlowSingleUserScript(t *testing.T) {
	onSuites(t, func(t *testing.T, suite debian.Suite) {
		h := bareMachine(t, suite, newServer(t))
		h.reachDebian(t)
		defer h.showSetupLog(t)
		h.run(t, "useradd", "--create-home", "--shell", "/bin/bash", "anna")
		h.run(t, "sh", "-c", "echo anna:first-password | chpasswd")
		h.enrolFromEnvironment(t)
		anna := &person{host: h, name: "anna", password: "first-password"}
		anna.worksOnVirtualDisplay(t)
		anna.worksOverRDP(t)
		h.removesButKeepsAnna(t)
	})
}

// enrolFromEnvironment has the token in ENROLLMENT_TOKEN.
func (h *host) enrolFromEnvironment(t *testing.T) {
	t.Helper()
	res, err := h.Exec(t.Context(), testhost.Command{
		Args: []string{filepath.Join(onHost, "single-user-vps.sh"), insideURL},
		Env:  []string{"ENROLLMENT_TOKEN=" + h.token(t)},
	})
	if err != nil || res.Code != 0 || !strings.Contains(res.Stdout, "+ enrol with "+insideURL) {
		t.Fatalf("%v, exit code %d: %s%s", err, res.Code, res.Stdout, res.Stderr)
	}
	if said := h.mustScript(t, "", "single-user-vps.sh", insideURL); !strings.Contains(said, "= reports to "+insideURL) {
		t.Error("the second run does not say that all is done")
	}
}

// worksOnVirtualDisplay checks that a virtual display is measured only where
// that was asked for by name.
func (p *person) worksOnVirtualDisplay(t *testing.T) {
	t.Helper()
	h := p.host
	h.run(t, "apt-get", "-q", "update")
	h.run(t, "apt-get", "-q", "-y", "install", "--no-install-recommends", "tigervnc-standalone-server", "openbox")
	h.background(t, "anna", "display", "Xvnc", ":1", "-SecurityTypes", "None", "-localhost")
	h.awaitDisplay(t, ":1")
	h.background(t, "anna", "wm", "env", "DISPLAY=:1", "openbox")
	if said := h.mustScript(t, "", "single-user-vps.sh", insideURL); !strings.Contains(said, "anna has a virtual display, which is not measured") {
		t.Error("it does not propose to measure the virtual display")
	}
	h.wantMeasured(t)
	began := time.Now()
	h.configure(t, config)
	for _, want := range []string{"+ have the virtual display of anna measured", "= the virtual display of anna is measured"} {
		if said := h.mustScript(t, "", "single-user-vps.sh", "--virtual-user", "anna", insideURL); !strings.Contains(said, want) {
			t.Errorf("it does not say %q", want)
		}
	}
	conf := h.run(t, "grep", "-E", "^(sessions|virtual_user):", "/etc/trackerd/config.yaml")
	if want := "sessions: [rdp, local, virtual]\nvirtual_user: \"anna\""; conf != want {
		t.Errorf("the configuration has %q, want %q", conf, want)
	}
	p.machine = h.waitTracked(t, "x1", began).MachineID
	eventually(t, 30*time.Second, "the window manager is seen", func() error { return h.wantProblem(t, "x1", "") })
	if err := h.view(t, 1).keys(90); err != nil {
		t.Fatal(err)
	}
	p.did.Keys = 90
	p.wantVirtual(t)
	h.run(t, "systemctl", "stop", "background-wm", "background-display")
	// With openbox there, RDP sessions would have that as their desktop.
	h.run(t, "apt-get", "-q", "-y", "purge", "openbox")
}

// worksOverRDP adds a desktop for the one person there is, who keeps the password.
func (p *person) worksOverRDP(t *testing.T) {
	t.Helper()
	h := p.host
	said := h.mustScript(t, "", "single-user-vps.sh", "--desktop", "--no-clipboard", insideURL)
	if shown := shownPasswords(said); len(shown) > 0 || !strings.Contains(said, "anna: exist") {
		t.Errorf("passwords of %v were shown", shown)
	}
	h.workInXFCE(t, p)
	if got := h.run(t, "grep", "-E", "^(cliprdr|rdpdr)=", "/etc/xrdp/xrdp.ini"); got != "rdpdr=false\ncliprdr=false" {
		t.Errorf("xrdp has %q", got)
	}
	if err := p.Disconnect(t.Context()); err != nil {
		t.Error(err)
	}
	h.run(t, "loginctl", "terminate-user", "anna")
	eventually(t, 30*time.Second, "nobody is logged in", func() error {
		out, err := h.Run(t.Context(), "loginctl", "list-sessions", "--no-legend")
		if err == nil && strings.Contains(out, "anna") {
			err = fmt.Errorf("there are %s", out)
		}
		return err
	})
}

// removesButKeepsAnna also asks for her account's end: it is not the script's.
func (h *host) removesButKeepsAnna(t *testing.T) {
	t.Helper()
	h.mustScript(t, "", "single-user-vps.sh", "--uninstall", "--delete-users")
	h.run(t, "test", "-d", "/home/anna")
	h.run(t, "id", "anna")
	h.run(t, "test", "!", "-e", "/etc/trackerd")
	h.run(t, "test", "!", "-e", "/etc/xrdp")
	h.run(t, "test", "-x", "/usr/bin/Xtigervnc")
}
