package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/testhost/debian"
)

// TestFullDisk fills the disk on which the daemon keeps what it measured, while
// somebody types and the server is away. Once there is space again every key is
// there, in the record of its own time; so it is after a start on the full disk.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	h := trackedHost(t, debian.Bookworm, srv)
	defer h.showLogOnFailure(t)
	h.smallDisk(t)
	p := h.login(t, "alice")
	p.mustWork(t, 20, 1, 1, 1)
	p.restlessTitles(t)
	for _, disturb := range []struct {
		name        string
		full, space func()
	}{
		{"space and a restart", func() {}, func() { h.run(t, "systemctl", "restart", "trackerd") }},
		{"restarted while it is full", func() { h.run(t, "systemctl", "restart", "--no-block", "trackerd") }, func() {}},
	} {
		t.Run(disturb.name, func(t *testing.T) {
			srv.Stop(t)
			stop, from := keepTyping(t, p), time.Now()
			h.fillDisk(t)
			h.pause(t, 2*interval*time.Second)
			disturb.full()
			h.pause(t, interval*time.Second)
			h.run(t, "rm", stateDir+"/ballast")
			at := time.Now()
			disturb.space()
			h.waitTracked(t, p.Session.ID, at)
			until := time.Now()
			stop()
			srv.Start(t)
			wantUnbroken(t, p)
			wantEveryRecord(t, p.records(t), from, until)
		})
		if t.Failed() {
			return
		}
	}
}

// stateDir is where the daemon keeps what it measured.
const stateDir = "/var/lib/trackerd"

// smallDisk puts the daemon's state onto a disk of its own.
func (h *host) smallDisk(t *testing.T) {
	t.Helper()
	h.run(t, "sh", "-ec", `systemctl stop trackerd
		cp -a "$1" /var/tmp/state
		mount -t tmpfs -o size=6m,mode=700 tmpfs "$1"
		cp -a /var/tmp/state/. "$1"
		systemctl start trackerd`, "sh", stateDir)
}

// restlessTitles has p's window change its long title all the time, so that the
// buffer needs new space soon.
func (p *person) restlessTitles(t *testing.T) {
	t.Helper()
	p.start(t, "sh", "-c", `long=$(printf %0900d 0); i=0
		while sleep 0.3; do i=$((i + 1)); xprop -id "$(xprop -root _NET_ACTIVE_WINDOW | awk '{ print $NF }')" -f _NET_WM_NAME 8u -set _NET_WM_NAME "$i $long"; done`)
}

// fillDisk fills the disk to the last byte and waits until the daemon cannot write.
func (h *host) fillDisk(t *testing.T) {
	t.Helper()
	h.run(t, "sh", "-c", `dd if=/dev/zero of="$1/ballast" bs=4096; true`, "sh", stateDir)
	eventually(t, 60*time.Second, "the daemon tells that it cannot write", func() error {
		if st := h.status(t); !strings.Contains(strings.Join(st.Host.Problems, "\n"), "cannot write to the buffer") {
			return fmt.Errorf("its problems are %q", st.Host.Problems)
		}
		return nil
	})
}
