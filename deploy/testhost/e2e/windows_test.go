package e2e

import (
	"strings"
	"testing"
	"time"

	"activity-tracker.example/testhost/debian"
)

// unknownApp is the application of a window that shows nothing of its own.
const unknownApp = "(unknown)"

// TestWhatIsInFront: somebody without a window manager, somebody with one that names
// no window, and somebody whose windows do not name their application. Of each what
// can be known is reported, and the doctor reports of whom it is a guess.
func TestWhatIsInFront(t *testing.T) {
	t.Parallel()
	whatIsInFront(t, debian.Bookworm)
}

func whatIsInFront(t *testing.T, suite debian.Suite) {
	h := trackedHost(t, suite, newServer(t))
	defer h.showLogOnFailure(t)
	var alone, framed *person
	t.Run("sessions", func(t *testing.T) {
		t.Run("no window manager", func(t *testing.T) {
			t.Parallel()
			alone = h.loginBare(t, "alice", "exec xterm -geometry 100x30+0+0")
			alone.guessed(t)
		})
		t.Run("twm", func(t *testing.T) {
			t.Parallel()
			framed = h.loginBare(t, "bob", "xterm -geometry 100x30+40+40 & exec twm")
			framed.guessed(t)
		})
		t.Run("nameless windows", func(t *testing.T) {
			t.Parallel()
			nameless(t, h.login(t, "carol"))
		})
	})
	if t.Failed() {
		return
	}
	for _, p := range []*person{alone, framed} {
		h.wantDoctor(t, "focus", "session "+p.Session.ID+" of "+p.name+" on "+p.Session.Display+" has no window manager that names the window in front")
	}
}

// loginBare logs in a new user whose session is what the script starts.
func (h *host) loginBare(t *testing.T, name, script string) *person {
	t.Helper()
	if _, err := h.AddUser(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	if err := h.WriteFile(t.Context(), "/home/"+name+"/.xsession", strings.NewReader(script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	p := &person{host: h, name: name, bare: true}
	p.loginAgain(t)
	return p
}

// guessed checks that the application is the one to whose window the keys go.
func (p *person) guessed(t *testing.T) {
	t.Helper()
	shell := p.name + "@office: ~"
	// A window manager that starts hides it for a moment, and only input has it looked for.
	x := 300
	eventually(t, 30*time.Second, "the terminal is in front", func() error {
		x ^= 1
		p.point(t, x, 200)
		return lastWindow(t, p, "XTerm", shell)
	})
	p.mustWork(t, 60, 2, 3, 2)
	wantTold(t, p)
	wantWindow(t, p, "XTerm", shell)

	const app, title = "Ledger", "Budget 2026"
	p.start(t, "xterm", "-class", app, "-xrm", "*allowTitleOps: false", "-T", title, "-geometry", "30x10+750+80", "-e", "sleep", "300")
	p.point(t, 800, 150)
	p.mustWork(t, 20, 0, 0, 0)
	awaitWindow(t, p, app, title)
	p.mustWork(t, 20, 0, 0, 0)
	wantTold(t, p)
}

// point moves the pointer, below which keys go where there is no window manager.
func (p *person) point(t *testing.T, x, y int) {
	t.Helper()
	n, err := p.MoveTo(t.Context(), x, y)
	p.did.Distance += int64(n)
	if err != nil {
		t.Fatal(err)
	}
}

// nameless shows p windows that lack a class, and installed web applications.
func nameless(t *testing.T, p *person) {
	t.Helper()
	const plain = "no class and no process"
	p.start(t, "xev", "-name", plain, "-event", "keyboard")
	awaitWindow(t, p, unknownApp, plain)

	// What the window claims of its process counts if the X server knows the same.
	p.retitle(t, plain, "a process of its own", `$(pidof xev)`)
	awaitWindow(t, p, "xev", "a process of its own")
	p.retitle(t, "a process of its own", "a process of another", `$(pgrep -u "$USER" -n openbox)`)
	awaitWindow(t, p, unknownApp, "a process of another")

	p.start(t, "xterm", "-name", "crx_nkbihfbeogaeaoeh", "-class", "Google-chrome", "-xrm", "*allowTitleOps: false", "-T", "Mail", "-e", "sleep", "300")
	awaitWindow(t, p, "crx_nkbihfbeogaeaoeh", "Mail")
	p.start(t, "xterm", "-name", "google-chrome", "-class", "Google-chrome", "-xrm", "*allowTitleOps: false", "-T", "Search", "-e", "sleep", "300")
	awaitWindow(t, p, "Google-chrome", "Search")

	// A title that turns the writing, so that it reads as one of another file.
	if _, err := p.RunInSession(t.Context(), "xprop", "-name", "Search", "-f", "_NET_WM_NAME", "8u", "-set", "_NET_WM_NAME", "invoice\u202etxt.exe"); err != nil {
		t.Fatal(err)
	}
	awaitWindow(t, p, "Google-chrome", "invoicetxt.exe")
	p.mustWork(t, 30, 0, 0, 0)
	wantTold(t, p)
}

// start starts a program in p's session that goes on.
func (p *person) start(t *testing.T, command ...string) {
	t.Helper()
	if _, err := p.RunInSession(t.Context(), append([]string{"sh", "-c", `"$@" >/dev/null 2>&1 &`, "sh"}, command...)...); err != nil {
		t.Fatal(err)
	}
}

// retitle has a window name a process, which a shell expression finds, and change
// its title.
func (p *person) retitle(t *testing.T, from, to, pid string) {
	t.Helper()
	script := `xprop -name "$1" -f _NET_WM_PID 32c -set _NET_WM_PID ` + pid + ` && xprop -name "$1" -f WM_NAME 8s -set WM_NAME "$2"`
	if _, err := p.RunInSession(t.Context(), "sh", "-ec", script, "sh", from, to); err != nil {
		t.Fatal(err)
	}
}
