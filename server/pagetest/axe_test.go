package pagetest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
)

// violation is what axe-core found.
type violation struct {
	ID    string   `json:"id"`
	Help  string   `json:"help"`
	Where []string `json:"where"`
}

// rules has axe-core check all of WCAG 2.2 AA that a program can.
const rules = `axe.run(%s, {
	runOnly: {type: "tag", values: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]},
	rules: {"target-size": {enabled: true}},
	resultTypes: ["violations"],
}).then((r) => r.violations.map((v) => ({
	id: v.id, help: v.help,
	where: v.nodes.slice(0, 5).map((n) => n.html.slice(0, 200) + " " + n.failureSummary.replaceAll("\n", " ")),
})))`

// axe returns axe-core, which setup has put into the cache.
func axe(tb testing.TB) string {
	tb.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		tb.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(cache, "activity-tracker", "axe-core", "axe.min.js"))
	if err != nil {
		tb.Fatalf("no axe-core, which `make setup-test` gets: %v", err)
	}
	return string(text)
}

// accessible has axe-core look at the page.
func (x *tab) accessible(when string) {
	x.t.Helper()
	x.accessibleWithin(when, "html")
}

// accessibleWithin has axe-core look at a part of the page.
func (x *tab) accessibleWithin(when, selector string) {
	x.t.Helper()
	// The page's own have run by now, or never will.
	x.do(emulation.SetScriptExecutionDisabled(false))
	var there bool
	x.eval(`typeof axe !== "undefined"`, &there)
	if !there {
		x.eval(axe(x.t), nil)
	}
	var found []violation
	x.eval(fmt.Sprintf(rules, fmt.Sprintf("document.querySelector(%q)", selector)), &found)
	for _, v := range found {
		x.t.Errorf("axe, %s: %s: %s\n\t%s", when, v.ID, v.Help, strings.Join(v.Where, "\n\t"))
	}
}
