package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

const (
	// pagesEnv names the folder in which pictures of the pages are kept.
	pagesEnv = "ACTIVITY_TRACKER_PAGES"
	// browserLife bounds what a test does with a browser.
	browserLife = 15 * time.Minute
	// browserWait is for one thing that is done in a browser on a busy machine.
	browserWait = time.Minute
)

// browser is a Chromium of a test's own.
type browser struct {
	ctx context.Context // chromedp keeps the browser in it
}

func newBrowser(t *testing.T) *browser {
	t.Helper()
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.NoSandbox, // which Chromium demands of root
		chromedp.WindowSize(1280, 900))
	life, end := context.WithTimeout(context.WithoutCancel(t.Context()), browserLife)
	allocator, stop := chromedp.NewExecAllocator(life, options...)
	// Chromium reports more kinds of issues than chromedp can read.
	ctx, cancel := chromedp.NewContext(allocator, chromedp.WithErrorf(func(string, ...any) {}))
	t.Cleanup(func() {
		_ = chromedp.Cancel(ctx) // it may have ended already
		cancel()
		stop()
		end()
	})
	if err := chromedp.Run(ctx); err != nil {
		t.Fatalf("no Chromium, which `make setup-test` installs: %v", err)
	}
	return &browser{ctx}
}

// visitor is somebody with a browser, whose cookies nobody else has.
type visitor struct {
	ctx  context.Context // chromedp keeps the tab in it
	name string
	base string

	mu sync.Mutex
	// wrong is what the browser complained of, pictures how many were kept.
	wrong    []string
	pictures int
}

// visitor opens a tab for somebody who is in that zone, and reads times so.
func (b *browser) visitor(t *testing.T, name, base, zone string) *visitor {
	t.Helper()
	whole := cdp.WithExecutor(b.ctx, chromedp.FromContext(b.ctx).Browser)
	cookies, err := target.CreateBrowserContext().Do(whole)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = target.DisposeBrowserContext(cookies).Do(whole) }) // with its tab
	// In a window of its own: whoever comes anew has none.
	tab, err := target.CreateTarget("about:blank").WithBrowserContextID(cookies).WithNewWindow(true).Do(whole)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := chromedp.NewContext(b.ctx, chromedp.WithTargetID(tab))
	t.Cleanup(cancel)
	v := &visitor{ctx: ctx, name: name, base: base}
	chromedp.ListenTarget(ctx, v.hear)
	// The first call enters the tab, which would end with a context of its own.
	if err := chromedp.Run(ctx); err != nil {
		t.Fatal(err)
	}
	v.do(t, audits.Enable(), emulation.SetTimezoneOverride(zone))
	for cookie, value := range map[string]string{"tz": zone, "lang": "en", "theme": "light"} {
		v.do(t, network.SetCookie("activity-tracker-"+cookie, value).WithURL(base).WithPath("/").WithHTTPOnly(true))
	}
	return v
}

// hear keeps what the browser complains of.
func (v *visitor) hear(event any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		v.wrong = append(v.wrong, "exception: "+e.ExceptionDetails.Error())
	case *log.EventEntryAdded:
		if e.Entry.Level == log.LevelError {
			v.wrong = append(v.wrong, fmt.Sprintf("log: %s %s", e.Entry.Text, e.Entry.URL))
		}
	case *audits.EventIssueAdded:
		if d := e.Issue.Details.ContentSecurityPolicyIssueDetails; d != nil {
			v.wrong = append(v.wrong, fmt.Sprintf("Content-Security-Policy: %s %s", d.ViolatedDirective, d.BlockedURL))
		}
	}
}

// content checks that the browser complained of nothing.
func (v *visitor) content(t *testing.T) {
	t.Helper()
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, wrong := range v.wrong {
		t.Errorf("the browser of %s: %s", v.name, wrong)
	}
}

// do does something in the tab.
func (v *visitor) do(t *testing.T, actions ...chromedp.Action) {
	t.Helper()
	ctx, cancel := context.WithTimeout(v.ctx, browserWait)
	defer cancel()
	if err := chromedp.Run(ctx, actions...); err != nil {
		t.Fatalf("in the browser of %s: %v", v.name, err)
	}
}

// visit opens a page of the server.
func (v *visitor) visit(t *testing.T, path string) {
	t.Helper()
	v.do(t, chromedp.Navigate(v.base+path))
}

// read evaluates an expression on the page.
func (v *visitor) read(t *testing.T, expression string, into any) {
	t.Helper()
	v.do(t, chromedp.Evaluate(expression, into))
}

// await waits until an expression is true, on whatever page there is by then, and returns for
// how long.
func (v *visitor) await(t *testing.T, what, expression string) time.Duration {
	t.Helper()
	began := time.Now()
	eventually(t, browserWait, what, func() error {
		ctx, cancel := context.WithTimeout(v.ctx, browserWait)
		defer cancel()
		var is bool
		if err := chromedp.Run(ctx, chromedp.Evaluate(expression, &is)); err != nil {
			return err
		}
		if !is {
			var shown string
			err := chromedp.Run(ctx, chromedp.Evaluate(`location.pathname + ": " + document.body.innerText.slice(0, 1500)`, &shown))
			return errors.Join(fmt.Errorf("%s is shown %s", v.name, shown), err)
		}
		return nil
	})
	return time.Since(began)
}

// keep keeps a picture of the page, if that is wanted.
func (v *visitor) keep(t *testing.T, what string) {
	t.Helper()
	v.pictures++
	file := pageFile(t, fmt.Sprintf("way-%s-%d-%s.png", v.name, v.pictures, what))
	if file == "" {
		return
	}
	var picture []byte
	v.do(t, chromedp.FullScreenshot(&picture, 100))
	if err := os.WriteFile(file, picture, 0o644); err != nil {
		t.Fatal(err)
	}
}

// pageFile returns where a picture of that name is kept; empty where none is wanted.
func pageFile(t *testing.T, name string) string {
	t.Helper()
	dir := os.Getenv(pagesEnv)
	if dir == "" {
		return ""
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, name)
}
