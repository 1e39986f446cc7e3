package e2e

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/testhost"
	"activity-tracker.example/testhost/debian"
)

// TestWhoTheHostIs renames a host, and then makes it the clone of another.
func TestWhoTheHostIs(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	h := trackedHost(t, debian.Bookworm, srv)
	defer h.showLogOnFailure(t)
	p := h.login(t, "alice")
	p.mustWork(t, 20, 1, 1, 1)
	before := h.waitTracked(t, p.Session.ID, h.began)

	t.Run("renamed", func(t *testing.T) {
		at := time.Now()
		h.run(t, "hostname", "office2.corp.example")
		h.run(t, "systemctl", "restart", "trackerd")
		if after := h.waitTracked(t, p.Session.ID, at); after.MachineID != before.MachineID {
			t.Errorf("alice was %s and is %s: renaming the host makes no other account", before.MachineID, after.MachineID)
		}
		if got := h.status(t).Hostname; got != "office2.corp.example" {
			t.Errorf("status shows the host as %q", got)
		}
		eventually(t, 30*time.Second, "the server shows the new name", func() error {
			var m api.Machine
			if err := srv.Get(t.Context(), "/api/machines/"+before.MachineID, &m); err != nil || m.Hostname != "office2.corp.example" {
				return fmt.Errorf("it shows %q (%w)", m.Hostname, err)
			}
			return nil
		})
	})
	t.Run("cloned", func(t *testing.T) {
		h.run(t, "sh", "-c", "echo 0123456789abcdef0123456789abcdef >/etc/machine-id && systemctl restart trackerd")
		if s := h.status(t); s.Server.Enrolled || !strings.Contains(s.Server.Problem, "issued to another machine") {
			t.Errorf("a clone speaks for the host that it was cloned from: %+v", s)
		}
		res, err := h.Exec(t.Context(), testhost.Command{Args: []string{"trackctl", "doctor"}})
		if err != nil || res.Code != 1 || !strings.Contains(res.Stdout, "trackctl enroll") {
			t.Errorf("trackctl doctor: %v, exit code %d: %s", err, res.Code, res.Stdout)
		}
		h.enroll(t)
		eventually(t, 30*time.Second, "the clone's people have names of their own", func() error {
			list, err := h.sessions(t)
			if err == nil && (len(list) != 1 || list[0].MachineID == before.MachineID) {
				err = fmt.Errorf("the sessions are %+v", list)
			}
			return err
		})
	})
	t.Run("cloned before it enrolled", func(t *testing.T) {
		// Another machine of the same machine-id, which has no credential to show.
		h.waitUploaded(t)
		h.run(t, "sh", "-c", "rm "+stateDir+"/credential && systemctl restart trackerd")
		token := srv.command(t, "enrollment", "create", "--uses", "1", "--expires", "10m")
		res, err := h.Exec(t.Context(), testhost.Command{Args: []string{"trackctl", "enroll", "http://" + insideAddr, "-"}, Stdin: strings.NewReader(token + "\n")})
		if err != nil || res.Code != 1 || !strings.Contains(res.Stderr, "a machine-id of its own") || !strings.Contains(res.Stderr, "enrollment create --host") {
			t.Errorf("trackctl enroll: %v, exit code %d: %s; want what to do", err, res.Code, res.Stderr)
		}
	})
}

// waitUploaded waits until the server has taken something, by which a credential is used.
func (h *host) waitUploaded(t *testing.T) {
	t.Helper()
	eventually(t, 30*time.Second, "something is uploaded", func() error {
		if h.lastUpload(t).IsZero() {
			return errors.New("nothing was yet")
		}
		return nil
	})
}

// TestTwoHostsOneName configures a second host with the machine_id of somebody on a
// first, as a copied configuration does, and then has it take the first one's place.
func TestTwoHostsOneName(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	first, second := trackedHost(t, debian.Bookworm, srv), trackedHost(t, debian.Bookworm, srv)
	defer second.showLogOnFailure(t)
	alice, bob := first.login(t, "alice"), second.login(t, "bob")
	alice.mustWork(t, 20, 1, 1, 1)
	wantTold(t, alice)
	second.configure(t, config+"machine_id: "+alice.machine+"\n")
	at := time.Now()
	if s := second.waitTracked(t, bob.Session.ID, at); s.MachineID != alice.machine {
		t.Fatalf("bob's machine_id is %s, want alice's, %s", s.MachineID, alice.machine)
	}
	eventually(t, 30*time.Second, "the second host waits and tells", func() error {
		st := second.status(t)
		if len(st.Host.Later) != 1 || st.Host.Later[0].Code != "foreign_machine" || len(st.Host.DeadLetters) > 0 ||
			!strings.Contains(strings.Join(st.Host.Problems, "\n"), "trackerd-server machine move") {
			return fmt.Errorf("status is %+v", st.Host)
		}
		return nil
	})
	if out := second.run(t, "trackctl", "doctor"); !strings.Contains(out, "another host reported this machine_id first") {
		t.Errorf("doctor says %s", out)
	}
	// Put right, what comes from then on does not wait for what came before.
	second.configure(t, config)
	bob.mustWork(t, 30, 1, 1, 1)
	wantTold(t, bob)
	wantTold(t, alice)
	waits := second.status(t).Host.Later[0].Events
	if out := second.run(t, "trackctl", "rejected", "drop", "--code", "foreign_machine"); !strings.Contains(out, fmt.Sprintf("and %d record", waits)) {
		t.Errorf("of %d records dropped: %s", waits, out)
	}
	second.run(t, "sh", "-c", "trackctl rejected list | grep -q 'No record was rejected'")

	first.run(t, "systemctl", "stop", "trackerd")
	bob.replaces(t, alice)
}

// replaces has p's host take the place of one that is gone, as one does that was
// installed anew under the old name: it reports as of. What it measured before somebody
// moved the machine_id to it waits, and arrives.
func (p *person) replaces(t *testing.T, of *person) {
	t.Helper()
	h, srv := p.host, p.host.srv
	h.pause(t, time.Until(nextEnd())) // the record of now is the other's
	h.configure(t, config+"machine_id: "+of.machine+"\n")
	h.waitTracked(t, p.Session.ID, time.Now())
	const keys = 25
	if _, err := p.Type(t.Context(), strings.Repeat("a", keys)); err != nil {
		t.Fatal(err)
	}
	eventually(t, 30*time.Second, "what was measured waits", func() error {
		if st := h.status(t); len(st.Host.Later) != 1 || st.Host.Later[0].Events < 2 {
			return fmt.Errorf("status is %+v", st.Host)
		}
		return nil
	})
	srv.command(t, "machine", "move", of.machine, "--to", h.status(t).Host.HostID)
	h.run(t, "trackctl", "rejected", "retry", "--code", "foreign_machine")
	eventually(t, 30*time.Second, "what waited has arrived", func() error {
		st := h.status(t)
		told, err := of.told(t)
		if err == nil && (len(st.Host.Later) > 0 || told.Keys != of.did.Keys+keys) {
			err = fmt.Errorf("%+v wait, and %d keys arrived, want %d", st.Host.Later, told.Keys, of.did.Keys+keys)
		}
		return err
	})
}
