package pagetest

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"activity-tracker.example/server/internal/permission"
	"activity-tracker.example/server/internal/ui/login"
)

// pagesEnv names the folder in which pictures of the pages are kept.
const pagesEnv = "ACTIVITY_TRACKER_PAGES"

// address is a page to look at.
type address struct {
	// path is where it is, name how its pictures are called.
	path, name string
	status     int64
	cookie     []string
}

// addresses are all pages that the server has, as the list of the program itself has them,
// with ids filled in.
func (o *office) addresses() []address {
	o.T.Helper()
	ids := o.ids()
	var list []address
	for _, p := range permission.Pages() {
		path := strings.TrimPrefix(p.Route, "GET ")
		before, _, withID := strings.Cut(path, "{id}")
		a := address{path, nameOf(before), http.StatusOK, o.admin}
		if withID {
			id, known := ids[before]
			if !known {
				o.T.Errorf("%s: the test knows no id for it", path)
				continue
			}
			a.path, a.name = before+id, a.name+"-one"
			if id == "" { // there is none here
				continue
			}
		}
		list = append(list, a)
	}
	for _, p := range login.Pages(&login.Options{}) {
		switch p.Name {
		case "logout": // it has nothing to look at
		case "login/sso": // the provider is away
			list = append(list, address{"/" + p.Name, nameOf(p.Name), http.StatusServiceUnavailable, nil})
		case "login/sso/callback":
			list = append(list, address{"/" + p.Name, nameOf(p.Name), http.StatusUnauthorized, nil})
		default:
			list = append(list, address{"/" + p.Name, nameOf(p.Name), http.StatusOK, nil})
		}
	}
	return append(list,
		address{"/self", "self", http.StatusOK, nil},
		address{"/people/p999999", "no-such-person", http.StatusNotFound, o.admin},
	)
}

// hostGroup is a group of hosts.
const hostGroup = "Offices"

// ids are what stands in a page's address for {id}, by what stands before.
func (o *office) ids() map[string]string {
	ids := map[string]string{"/people/": o.person, "/users/": o.user.ID, "/hosts/": "", "/host-groups/": "", "/groups/": "", "/policy/": ""}
	if len(o.people) > 0 {
		ids["/hosts/"], ids["/groups/"], ids["/host-groups/"] = o.people[0].Host, o.people[0].Team, hostGroup
	}
	return ids
}

// nameOf is a page's name for a file.
func nameOf(path string) string {
	if path == "/" {
		return "now"
	}
	return strings.ReplaceAll(strings.Trim(path, "/"), "/", "-")
}

// looks are all ways to look at a page.
func looks() []look {
	var all []look
	for _, language := range []string{"en", "ru"} {
		for _, theme := range []string{"light", "dark"} {
			for _, width := range []int64{320, 1440} {
				for _, script := range []bool{true, false} {
					all = append(all, look{language, theme, width, script})
				}
			}
		}
	}
	return all
}

// covering are the fewest looks in which any two of the choices meet.
func covering() []look {
	return []look{
		{"en", "light", 320, true},
		{"ru", "dark", 320, false},
		{"ru", "light", 1440, false},
		{"en", "dark", 1440, false},
		{"ru", "dark", 1440, true},
	}
}

// pairs are the choices of which two meet in a look.
func (l look) pairs() map[[2]string]bool {
	script := map[bool]string{true: "script", false: "plain"}[l.script]
	width := map[int64]string{320: "narrow", 1440: "wide"}[l.width]
	choices := []string{l.language, l.theme, width, script}
	met := map[[2]string]bool{}
	for i, a := range choices {
		for _, b := range choices[i+1:] {
			met[[2]string{a, b}] = true
		}
	}
	return met
}

// The covering looks let any two choices meet, and none of them could be left out.
func TestCovering(t *testing.T) {
	wanted := map[[2]string]bool{}
	for _, l := range looks() {
		for pair := range l.pairs() {
			wanted[pair] = true
		}
	}
	missing := func(list []look) (n int) {
		met := map[[2]string]bool{}
		for _, l := range list {
			for pair := range l.pairs() {
				met[pair] = true
			}
		}
		return len(wanted) - len(met)
	}
	if len(wanted) != 24 || missing(covering()) != 0 {
		t.Fatalf("%d of %d pairs do not meet", missing(covering()), len(wanted))
	}
	for i := range covering() {
		rest := covering()
		if missing(append(rest[:i], rest[i+1:]...)) == 0 {
			t.Errorf("%s could be left out", covering()[i])
		}
	}
}

// Each page once, in looks of which any two choices meet.
func TestPages(t *testing.T) {
	o := newHostileOffice(t)
	b := newBrowser(t)
	list := o.addresses()
	if len(list) < len(covering()) {
		t.Fatalf("%d pages are too few for all pairs to meet", len(list))
	}
	for i, a := range list {
		b.looksAt(t, o.URL, a, covering()[i%len(covering())])
	}
}

// Each page in each look.
func TestSlowPages(t *testing.T) {
	o := newHostileOffice(t)
	b := newBrowser(t)
	for _, a := range o.addresses() {
		for _, l := range looks() {
			b.looksAt(t, o.URL, a, l)
		}
	}
}

// looksAt looks at a page, by all that can be seen of it.
func (b *browser) looksAt(t *testing.T, base string, a address, l look) {
	t.Helper()
	t.Run(a.name+"/"+l.String(), func(t *testing.T) {
		x := b.tab(t, base, l, a.cookie)
		x.visit(a.path)
		if x.status != a.status {
			t.Fatalf("%s: status %d, want %d", a.path, x.status, a.status)
		}
		x.save(a.name)
		x.fits()
		x.isolated()
		x.accessible("as it opens")
		if n := x.tabThrough(); n == 0 {
			t.Error("the keyboard reaches nothing")
		}
		x.accessible("with everything open")
		for _, wrong := range x.complaints() {
			t.Error(wrong)
		}
	})
}

// save keeps a picture of the page, if that is wanted.
func (x *tab) save(name string) {
	x.t.Helper()
	dir := os.Getenv(pagesEnv)
	if dir == "" {
		return
	}
	file := filepath.Join(dir, name+"-"+x.look.String()+".png")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		x.t.Fatal(err)
	}
	if err := os.WriteFile(file, x.picture(), 0o644); err != nil {
		x.t.Fatal(err)
	}
}

// fits finds a page that must be moved sideways.
func (x *tab) fits() {
	x.t.Helper()
	var wide []string
	x.eval(`(() => {
		const root = document.scrollingElement;
		if (root.scrollWidth <= root.clientWidth) return [];
		const wide = [root.scrollWidth + " pixels in " + root.clientWidth];
		for (const e of document.body.querySelectorAll("*")) {
			const box = e.getBoundingClientRect();
			if (box.right > root.clientWidth && !e.closest(".scroll") && wide.length < 8) wide.push(e.outerHTML.slice(0, 120));
		}
		return wide;
	})()`, &wide)
	if len(wide) > 0 {
		x.t.Errorf("the page is wider than the window: %s", strings.Join(wide, "\n"))
	}
}

// isolated finds what somebody wrote from right to left and what would turn round the words
// beside it: it must stand in an element that isolates it, or in a paragraph of its own.
func (x *tab) isolated() {
	x.t.Helper()
	var wrong []string
	x.eval(`(() => {
		const turns = /[\u0590-\u08ff\u202a-\u202e\u2066-\u2069]/, wrong = [];
		const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
		for (let node = walker.nextNode(); node; node = walker.nextNode()) {
			if (!turns.test(node.data) || node.parentElement.closest("script, style, select, textarea")) continue;
			let around = node.parentElement;
			for (let style = getComputedStyle(around); style.unicodeBidi === "normal" && style.display === "inline"; style = getComputedStyle(around)) around = around.parentElement;
			const rest = around.textContent.replace(node.data, "").trim();
			if (rest !== "") wrong.push(around.outerHTML.slice(0, 300));
		}
		return wrong.slice(0, 5);
	})()`, &wrong)
	for _, w := range wrong {
		x.t.Errorf("a name is not isolated: %s", w)
	}
}
