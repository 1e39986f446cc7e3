package pagetest

import (
	"context"
	"fmt"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// maxStops bounds how often somebody presses Tab on a page.
const maxStops = 3000

// watching defines what the keyboard has reached, in the test's own world.
const watching = `
globalThis.reached = new Set();
globalThis.outside = 0;
globalThis.named = (e) => e.outerHTML.slice(0, 160);
globalThis.stop = () => {
	const e = document.activeElement;
	for (const menu of document.querySelectorAll("details.who[open]")) if (plain && !menu.contains(e)) menu.open = false; // as whoever opened it does
	if (!e || e === document.body || e === document.documentElement) return {end: ++outside > 2};
	const again = reached.has(e) && e !== globalThis.last;
	const first = !reached.has(e);
	reached.add(e);
	globalThis.last = e;
	if (!first) return {end: again};
	const style = getComputedStyle(e), box = e.getBoundingClientRect();
	const within = (x, y) => { const at = document.elementFromPoint(x, y); return at && (e.contains(at) || at.contains(e) || at.closest("label")?.contains(e)); };
	const wrong = [];
	if (!(parseFloat(style.outlineWidth) > 0 && style.outlineStyle !== "none")) wrong.push("has no visible focus");
	const left = Math.max(0, box.left), right = Math.min(innerWidth, box.right), top = Math.max(0, box.top), bottom = Math.min(innerHeight, box.bottom);
	const inset = (a, b) => [a + Math.min(3, b / 2), a + b / 2, a + b - Math.min(3, b / 2)];
	if (!inset(left, right - left).some((px) => inset(top, bottom - top).some((py) => within(px, py)))) wrong.push("is hidden while it has the focus");
	return {end: false, wrong: wrong.map((w) => named(e) + " " + w), closed: e.matches("details:not([open]) > summary")};
};
globalThis.unreached = () => {
	const seen = (e) => e.checkVisibility({visibilityProperty: true}) && !e.disabled && e.tabIndex >= 0;
	return Array.from(document.querySelectorAll('a[href], button, input:not([type="hidden"]), select, textarea, summary, [tabindex]'))
		.filter((e) => seen(e) && !reached.has(e) && !(e.type === "radio" && Array.from(reached).some((r) => r.type === "radio" && r.name === e.name && r.form === e.form)))
		.map(named);
};
`

// stop is where Tab has led.
type stop struct {
	End    bool     `json:"end"`
	Wrong  []string `json:"wrong"`
	Closed bool     `json:"closed"`
}

// tabThrough goes through the page by the keyboard alone and opens what opens. It returns how
// many stops there were.
func (x *tab) tabThrough() (stops int) {
	x.t.Helper()
	x.eval(watching, nil)
	x.eval(fmt.Sprintf("globalThis.plain = %t", !x.look.script), nil)
	x.eval(`document.activeElement?.blur?.(), scrollTo(0, 0)`, nil)
	wrong, ended := []string{}, false
	x.do(chromedp.ActionFunc(func(ctx context.Context) error {
		for ; stops < maxStops && !ended; stops++ {
			if err := chromedp.KeyEvent(kb.Tab).Do(ctx); err != nil {
				return err
			}
			var s stop
			if err := x.evalIn(ctx, "stop()", &s); err != nil {
				return err
			}
			wrong, ended = append(wrong, s.Wrong...), s.End
			if !s.Closed {
				continue
			}
			if err := chromedp.KeyEvent(" ").Do(ctx); err != nil {
				return err
			}
		}
		return nil
	}))
	if !ended {
		x.t.Errorf("after %d stops Tab has not come round", stops)
	}
	x.eval(`document.activeElement?.blur?.(), scrollTo(0, 0)`, nil)
	var left []string
	x.eval("unreached()", &left)
	for _, w := range wrong {
		x.t.Error(w)
	}
	for _, l := range left {
		x.t.Errorf("the keyboard does not reach %s", l)
	}
	return stops
}
