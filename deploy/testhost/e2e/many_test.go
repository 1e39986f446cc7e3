package e2e

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/testhost/debian"
	"activity-tracker.example/testhost/internal/e2etest"
)

// What many sessions on one host may cost.
const (
	manySessions = 300
	// manyOver is in what time all of them log in, and manyReady how soon after that
	// all are measured, on manyCores that do nothing else. A machine under load takes
	// longer, so times are only reported; what is checked is what was taken of the
	// processors, which is manySlack times as much on a slow one.
	manyOver  = 10 * time.Second
	manyReady = 30 * time.Second
	manyCores = 2
	manySlack = 2
	// manyPatience is how long the test waits.
	manyPatience = 5 * time.Minute
	// manyMemory is what trackerd may have of the host's memory, in KiB.
	manyMemory = 32 << 10
	// manyCPU is how much of a core trackerd should take while all work, in
	// percent.
	manyCPU = 1.0
	// manyUID is the first user of them, and manyDisplay that user's display.
	manyUID     = 20000
	manyDisplay = 1000
	// manyPresses is how many keys the first user presses, one a second; each of
	// the next ones presses one more, modulo ten (cmd/logins).
	manyPresses = 60
)

// TestSlowManySessions has 300 people on one host. Their sessions are logind's, opened
// as xrdp's session manager has PAM open them. What else a login is made of is there
// before, since 300 desktops would be another test: each has an X server, an Xvnc,
// and is known to logind (`loginctl enable-linger`), so that their runtime folders are
// mounted. Their service managers are left out. Without this a login takes 70 ms of a
// processor, also without trackerd, and 300 of them all that two cores have in 10 s.
func TestSlowManySessions(t *testing.T) {
	srv := newServer(t)
	h := crowdedHost(t, srv)
	defer h.showLogOnFailure(t)

	e2etest.PutProgram(t, h, "activity-tracker.example/testhost/cmd/logins", "/usr/local/bin/logins")
	h.run(t, "systemctl", "stop", "trackerd")
	t.Logf("without trackerd, 300 logins: %s (%v wanted)", h.logIn(t), manyOver)
	h.logOut(t)
	h.run(t, "systemctl", "start", "trackerd")
	login := h.logIn(t)
	login.check(t, manyOver)
	ready := h.costOf(t, func() {
		eventually(t, manyPatience, "all sessions are measured", func() error { return h.allReporting(t) })
	})
	ready.check(t, manyReady)

	before, began := h.processorTime(t), time.Now()
	h.run(t, "logins", "-sessions", strconv.Itoa(manySessions), "-display", strconv.Itoa(manyDisplay),
		"-presses", strconv.Itoa(manyPresses), "press")
	used := h.processorTime(t) - before
	cpu := 100 * used.Seconds() / time.Since(began).Seconds()
	memory := h.memory(t)
	t.Logf("with it, 300 logins: %s (%v wanted); measured after another %s (%v); trackerd %.1f MB (%d MB), %.2f %% of a core (%.0f %%)",
		login, manyOver, ready, manyReady, float64(memory)/1024, manyMemory>>10, cpu, manyCPU)
	if memory > manyMemory {
		t.Errorf("trackerd has %d KiB of memory", memory)
	}
	if cpu > manyCPU*manySlack {
		t.Errorf("trackerd takes %.2f %% of a core", cpu)
	}
	if err := h.allReporting(t); err != nil {
		t.Error(err)
	}
	h.checkPresses(t)
}

// crowdedHost boots a host with trackerd, and with an X server for each of the
// users who will log in.
func crowdedHost(t *testing.T, srv *server) *host {
	t.Helper()
	h := startHost(t, srv, debian.XRDP(debian.Bookworm))
	const prepare = `
		for ((i = 0; i < N; i++)); do
			printf -v n %03d $i
			echo "many$n:x:$((UID0 + i)):$((UID0 + i))::/home/many$n:/bin/sh" >>/etc/passwd
			echo "many$n:x:$((UID0 + i)):" >>/etc/group
			install -d -m 700 -o $((UID0 + i)) -g $((UID0 + i)) /home/many$n
		done
		cat >/etc/systemd/system/display@.service <<-END
		[Service]
		User=many%i
		ExecStart=/usr/bin/Xvnc :1%i -geometry 64x64 -depth 24 -SecurityTypes None -rfbport -1 -AlwaysShared
		END
		# The users' own service managers.
		mkdir /etc/systemd/system/user@.service.d
		cat >/etc/systemd/system/user@.service.d/none.conf <<-END
		[Service]
		Type=oneshot
		RemainAfterExit=yes
		PAMName=
		ExecStart=
		ExecStart=/bin/true
		END
		# Else each of them gets a journal of 8 MB.
		mkdir /etc/systemd/journald.conf.d
		printf '[Journal]\nSplitMode=none\n' >/etc/systemd/journald.conf.d/one.conf
		systemctl daemon-reload
		systemctl restart systemd-journald
		loginctl enable-linger $(seq -f "many%03.0f" 0 $((N - 1)))
		for ((i = 0; i < N; i += 10)); do systemctl start $(seq -f "display@%03.0f.service" $i $((i + 9))); done`
	h.run(t, "env", fmt.Sprintf("N=%d", manySessions), fmt.Sprintf("UID0=%d", manyUID), "bash", "-euc", prepare)
	eventually(t, manyPatience, "all displays are there", func() error {
		out := h.run(t, "bash", "-c", "ls /tmp/.X11-unix | grep -c X1 || true")
		if n, _ := strconv.Atoi(out); n < manySessions {
			return fmt.Errorf("%d of %d", n, manySessions)
		}
		return nil
	})
	h.install(t, debPath)
	// A record each minute, as usual; sent sooner than usual.
	h.configure(t, "collect_interval_sec: 60\nsend_interval_sec: 30\n")
	h.enroll(t)
	return h
}

// logIn logs everybody in, and returns when all sessions are there, with what that
// took.
func (h *host) logIn(t *testing.T) hostCost {
	t.Helper()
	return h.costOf(t, func() {
		h.run(t, "systemd-run", "--quiet", "--unit=logins", "--service-type=notify", "--property=LimitNOFILE=4096",
			"--property=TimeoutStartSec="+strconv.Itoa(int(manyPatience.Seconds())),
			"logins", "-sessions", strconv.Itoa(manySessions), "-over", manyOver.String(),
			"-uid", strconv.Itoa(manyUID), "-display", strconv.Itoa(manyDisplay), "open")
	})
}

// logOut ends all sessions, and waits until nothing of them is left.
func (h *host) logOut(t *testing.T) {
	t.Helper()
	h.run(t, "systemctl", "stop", "logins")
	eventually(t, manyPatience, "all sessions are gone", func() error {
		if left := h.run(t, "bash", "-c", "systemctl list-units --no-legend 'session-*' | wc -l"); left != "0" {
			return fmt.Errorf("%s are left", left)
		}
		return nil
	})
}

// hostCost is how long something took, and what the host had of the processors
// meanwhile: all of it, its service manager, logind and the bus, each of which has one
// thread.
type hostCost struct {
	took time.Duration
	used [4]time.Duration
}

// costOf returns what f costs the host.
func (h *host) costOf(t *testing.T, f func()) hostCost {
	t.Helper()
	before, start := h.processorTimes(t), time.Now()
	f()
	cost := hostCost{took: time.Since(start), used: h.processorTimes(t)}
	for i := range cost.used {
		cost.used[i] -= before[i]
	}
	return cost
}

func (c hostCost) String() string {
	s := fmt.Sprintf("%.1f s, of the processors", c.took.Seconds())
	for i, whose := range []string{"the host", "systemd", "logind", "the bus"} {
		s += fmt.Sprintf(" %s %.1f s", whose, c.used[i].Seconds())
	}
	return s
}

// check fails the test if what was done would by far not fit into a time on manyCores.
func (c hostCost) check(t *testing.T, within time.Duration) {
	t.Helper()
	for i, used := range c.used {
		has := within * manySlack
		if i == 0 {
			has *= manyCores
		}
		if used > has {
			t.Errorf("more than there is in %v: %s", within, c)
			return
		}
	}
}

// processorTimes returns what a hostCost has to do with, since they were started.
func (h *host) processorTimes(t *testing.T) (used [4]time.Duration) {
	t.Helper()
	out := h.run(t, "bash", "-euc", `
		awk '$1 == "usage_usec" {printf "%.0f\n", $2 * 1000}' /sys/fs/cgroup/cpu.stat
		awk '{printf "%.0f\n", ($14 + $15) * 10000000}' /proc/1/stat
		systemctl show --property=CPUUsageNSec --value systemd-logind dbus | grep .`)
	for i, line := range strings.Fields(out) {
		n, err := strconv.ParseInt(line, 10, 64)
		if err != nil || i >= len(used) {
			t.Fatalf("processor times %q: %v", out, err)
		}
		used[i] = time.Duration(n)
	}
	return used
}

// allReporting checks that each user has one session, and that all report.
func (h *host) allReporting(t *testing.T) error {
	list, err := h.sessions(t)
	if err != nil {
		return err
	}
	users := make(map[string]bool)
	for _, s := range list {
		n, err := strconv.Atoi(strings.TrimPrefix(s.User, "many"))
		if err != nil || s.Display != fmt.Sprintf(":%d", manyDisplay+n) {
			return fmt.Errorf("%s has display %s", s.User, s.Display)
		}
		if s.State == "reporting" && s.LastReport != nil {
			users[s.User] = true
		}
	}
	if len(list) != manySessions || len(users) != manySessions {
		return fmt.Errorf("%d sessions, and %d users report", len(list), len(users))
	}
	return nil
}

// processorTime returns what trackerd has used since it was started.
func (h *host) processorTime(t *testing.T) time.Duration {
	t.Helper()
	nanoseconds, err := strconv.ParseInt(h.run(t, "systemctl", "show", "--property=CPUUsageNSec", "--value", "trackerd"), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return time.Duration(nanoseconds)
}

// memory returns what trackerd has of the host's memory, in KiB.
func (h *host) memory(t *testing.T) int {
	t.Helper()
	rollup := h.run(t, "bash", "-c", `cat /proc/$(systemctl show --property=MainPID --value trackerd)/smaps_rollup`)
	m := regexp.MustCompile(`(?m)^Rss:\s+(\d+) kB`).FindStringSubmatch(rollup)
	if m == nil {
		t.Fatalf("no Rss in %s", rollup)
	}
	kib, _ := strconv.Atoi(m[1])
	return kib
}

// checkPresses waits until the server has every press of every user, and no
// other.
func (h *host) checkPresses(t *testing.T) {
	t.Helper()
	list, err := h.sessions(t)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range list {
		n, _ := strconv.Atoi(strings.TrimPrefix(s.User, "many"))
		want := int64(manyPresses + n%10)
		eventually(t, manyPatience, "the server has the presses of "+s.User, func() error {
			sum, err := h.srv.summaries(t.Context(), s.MachineID, h.began)
			if err == nil && sum.SyntheticCount != want {
				err = fmt.Errorf("%d, and %d were pressed", sum.SyntheticCount, want)
			}
			if sum.SyntheticCount > want {
				t.Fatal(err)
			}
			return err
		})
	}
}
