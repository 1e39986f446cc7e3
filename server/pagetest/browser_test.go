package pagetest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"

	"activity-tracker.example/server/internal/servertest"
)

const (
	// height of every window, in pixels; pictures are of the whole page.
	height = 900
	// browserLife bounds what a test does with a browser.
	browserLife = time.Hour
)

// look is how somebody looks at a page.
type look struct {
	language, theme string
	width           int64
	script          bool
}

// usual is how most look.
func usual() look { return look{"en", "light", 1440, true} }

func (l look) String() string {
	script := "script"
	if !l.script {
		script = "plain"
	}
	return fmt.Sprintf("%s-%s-%d-%s", l.language, l.theme, l.width, script)
}

// browser is a Chromium of a test's own.
type browser struct {
	t   testing.TB
	ctx context.Context // chromedp keeps the browser in it
}

func newBrowser(tb testing.TB) *browser {
	tb.Helper()
	options := slices.Clone(chromedp.DefaultExecAllocatorOptions[:])
	options = append(options, chromedp.IgnoreCertErrors)
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // which Chromium demands of root
	}
	life, end := context.WithTimeout(context.WithoutCancel(tb.Context()), browserLife)
	allocator, stop := chromedp.NewExecAllocator(life, options...)
	// Chromium reports more kinds of issues than chromedp can read.
	ctx, cancel := chromedp.NewContext(allocator, chromedp.WithErrorf(func(string, ...any) {}))
	tb.Cleanup(func() {
		_ = chromedp.Cancel(ctx) // it may have ended already
		cancel()
		stop()
		end()
	})
	if err := chromedp.Run(ctx); err != nil {
		tb.Fatalf("no Chromium, which `make setup-test` installs: %v", err)
	}
	return &browser{tb, ctx}
}

// tab is a tab in which the cookies of no other are.
type tab struct {
	t    testing.TB
	ctx  context.Context // chromedp keeps the tab in it
	base string
	look look
	// browser and visitor are whose it is.
	browser *browser
	visitor cdp.BrowserContextID

	mu sync.Mutex
	// wrong is what the browser complained of.
	wrong []string
	// status is that of the last document.
	status int64
	// world is where scripts of the test run, which no rule of the page's holds.
	world runtime.ExecutionContextID
}

// tab opens a tab for a server, as a visitor of their own; cookie is the header of a login, if
// there is one.
func (b *browser) tab(tb testing.TB, base string, l look, cookie []string) *tab {
	tb.Helper()
	visitor, err := target.CreateBrowserContext().Do(b.whole())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = target.DisposeBrowserContext(visitor).Do(b.whole()) }) // with its tabs
	x := b.open(tb, visitor, base, l)
	x.keep("activity-tracker-lang", l.language)
	x.keep("activity-tracker-theme", l.theme)
	if len(cookie) == 2 {
		name, value, _ := strings.Cut(cookie[1], "=")
		x.keep(name, value)
	}
	return x
}

// whole is for what is done to the browser, not to a tab.
func (b *browser) whole() context.Context {
	return cdp.WithExecutor(b.ctx, chromedp.FromContext(b.ctx).Browser)
}

// beside opens another tab of the same visitor's.
func (x *tab) beside() *tab {
	x.t.Helper()
	return x.browser.open(x.t, x.visitor, x.base, x.look)
}

// open opens a tab in a window of its own: a visitor has none at first.
func (b *browser) open(tb testing.TB, visitor cdp.BrowserContextID, base string, l look) *tab {
	tb.Helper()
	id, err := target.CreateTarget("about:blank").WithBrowserContextID(visitor).WithNewWindow(true).Do(b.whole())
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := chromedp.NewContext(b.ctx, chromedp.WithTargetID(id))
	tb.Cleanup(cancel)
	x := &tab{t: tb, ctx: ctx, browser: b, visitor: visitor, base: base, look: l}
	chromedp.ListenTarget(ctx, x.hear)
	x.do(audits.Enable(), emulation.SetDeviceMetricsOverride(l.width, height, 1, false),
		emulation.SetScriptExecutionDisabled(!l.script))
	return x
}

// keep has the browser keep a cookie.
func (x *tab) keep(name, value string) {
	x.t.Helper()
	x.do(network.SetCookie(name, value).WithURL(x.base).WithPath("/").WithSecure(strings.HasPrefix(name, "__Host-")).WithHTTPOnly(true))
}

// hear keeps what the browser complains of.
func (x *tab) hear(event any) {
	x.mu.Lock()
	defer x.mu.Unlock()
	add := func(format string, args ...any) { x.wrong = append(x.wrong, fmt.Sprintf(format, args...)) }
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		add("exception: %s", e.ExceptionDetails.Error())
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.APITypeError || e.Type == runtime.APITypeWarning {
			for _, a := range e.Args {
				add("console: %s %s %s", e.Type, a.Value, a.Description)
			}
		}
	case *log.EventEntryAdded:
		// A refused page's own status is what the test asks for.
		if e.Entry.Level == log.LevelError && !strings.Contains(e.Entry.Text, "the server responded with a status of ") {
			add("log: %s %s", e.Entry.Text, e.Entry.URL)
		}
	case *audits.EventIssueAdded:
		if d := e.Issue.Details.ContentSecurityPolicyIssueDetails; d != nil {
			add("Content-Security-Policy: %s %s %s %+v", d.ViolatedDirective, d.ContentSecurityPolicyViolationType, d.BlockedURL, d.SourceCodeLocation)
		}
	case *network.EventResponseReceived:
		if e.Type == network.ResourceTypeDocument {
			x.status = e.Response.Status
		} else if e.Response.Status >= 400 {
			add("%d for %s", e.Response.Status, e.Response.URL)
		}
	}
}

// complaints returns what the browser complained of so far.
func (x *tab) complaints() []string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return slices.Clone(x.wrong)
}

// do does that in the tab.
func (x *tab) do(actions ...chromedp.Action) {
	x.t.Helper()
	ctx, cancel := context.WithTimeout(x.ctx, servertest.Patience)
	defer cancel()
	// The first call has chromedp open the tab, which would end with a context of ours.
	if chromedp.FromContext(x.ctx).Target == nil {
		if err := chromedp.Run(x.ctx); err != nil {
			x.t.Fatal(err)
		}
	}
	if err := chromedp.Run(ctx, actions...); err != nil {
		x.t.Fatal(err)
	}
}

// visit opens a page and waits until it is loaded.
func (x *tab) visit(path string) {
	x.t.Helper()
	x.do(emulation.SetScriptExecutionDisabled(!x.look.script), chromedp.Navigate(x.base+path))
	x.enterWorld()
}

// enterWorld has scripts of the test work on the page that there is.
func (x *tab) enterWorld() {
	x.t.Helper()
	x.do(chromedp.ActionFunc(func(ctx context.Context) error {
		tree, err := page.GetFrameTree().Do(ctx)
		if err != nil {
			return err
		}
		x.world, err = page.CreateIsolatedWorld(tree.Frame.ID).WithWorldName("test").Do(ctx)
		return err
	}))
}

// eval evaluates an expression beside the page's own scripts, into v.
func (x *tab) eval(expression string, v any) {
	x.t.Helper()
	x.do(chromedp.ActionFunc(func(ctx context.Context) error { return x.evalIn(ctx, expression, v) }))
}

func (x *tab) evalIn(ctx context.Context, expression string, v any) error {
	got, failed, err := runtime.Evaluate(expression).WithContextID(x.world).WithAwaitPromise(true).WithReturnByValue(true).Do(ctx)
	switch {
	case err != nil:
		return err
	case failed != nil:
		return failed
	case v == nil:
		return nil
	}
	return json.Unmarshal(got.Value, v)
}

// await waits until an expression is true, on whatever page there is by then.
func (x *tab) await(what, expression string) {
	x.t.Helper()
	servertest.Await(x.t, what, func() bool {
		var is bool
		err := chromedp.Run(x.ctx, chromedp.Evaluate(expression, &is))
		return err == nil && is
	})
}

// picture returns the whole page as a PNG.
func (x *tab) picture() []byte {
	x.t.Helper()
	var b []byte
	x.do(chromedp.FullScreenshot(&b, 100))
	return b
}

// at is the path that the tab is at, with its query.
func (x *tab) at() string {
	x.t.Helper()
	var is string
	x.do(chromedp.ActionFunc(func(ctx context.Context) error {
		tree, err := page.GetFrameTree().Do(ctx)
		if err == nil {
			is = tree.Frame.URL
		}
		return err
	}))
	u, err := url.Parse(is)
	if err != nil {
		x.t.Fatal(err)
	}
	return u.RequestURI()
}
