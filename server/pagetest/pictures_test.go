package pagetest

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/sample"
)

// picturesEnv names the folder that README.md's pictures are in.
const picturesEnv = "ACTIVITY_TRACKER_PICTURES"

// README.md's pictures: of people who are made up, on a day that is nearly over.
func TestSlowPictures(t *testing.T) {
	dir := os.Getenv(picturesEnv)
	if dir == "" {
		dir = t.TempDir()
	}
	zone := afternoon(t)
	people := sample.People(24, "")
	o := newOfficeIn(t, zone, people, 35)
	for i := range people {
		o.put(http.MethodPatch, "/api/people/"+o.personOf(people[i].MachineID), api.PersonPatch{Label: &people[i].Name})
		o.put(http.MethodPatch, "/api/machines/"+people[i].MachineID, api.MachinePatch{UserLabel: &people[i].Name})
	}
	o.put(http.MethodPut, "/api/categories", api.CategoryList{Categories: []api.Category{
		{Name: "Correspondence", Colour: "#a1307f", Rating: api.RatingProductive, Patterns: []api.Pattern{{App: "Thunderbird"}, {App: "Telegram"}}},
		{Name: "Documents", Colour: "#0b5cad", Rating: api.RatingProductive, Patterns: []api.Pattern{{App: "LibreOffice*"}, {App: "Visual*"}}},
		{Name: "Tickets", Colour: "#0f766e", Rating: api.RatingProductive, Patterns: []api.Pattern{{App: "Firefox", Title: "*icket*"}}},
		{Name: "Web", Colour: "#d55e00", Rating: api.RatingNeutral, Patterns: []api.Pattern{{App: "Firefox"}}},
	}}, "If-Match", `"0"`)
	day := weekday(time.Now().In(zone))
	b := newBrowser(t)
	for _, language := range []string{"en", "ru"} {
		for name, at := range map[string]struct{ path, theme string }{
			"now":    {"/", "light"},
			"day":    {"/day?date=" + day, "light"},
			"person": {"/people/" + o.person + "?date=" + day, "dark"},
			"hours":  {"/hours?date=" + day, "light"},
		} {
			x := b.tab(t, o.URL, look{language, at.theme, pictureWidth, true}, o.admin)
			x.keep("activity-tracker-tz", zone.String())
			x.do(emulation.SetDeviceMetricsOverride(pictureWidth, pictureHeight, 1, false))
			x.visit(at.path)
			x.write(filepath.Join(dir, language, name+".webp"))
		}
	}
}

// What README.md has room for, in pixels.
const (
	pictureWidth, pictureHeight = 1200, 750
	pictureQuality              = 82
)

// write keeps what is to be seen of the page.
func (x *tab) write(file string) {
	x.t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		x.t.Fatal(err)
	}
	x.do(chromedp.ActionFunc(func(ctx context.Context) error {
		b, err := page.CaptureScreenshot().WithFormat(page.CaptureScreenshotFormatWebp).WithQuality(pictureQuality).Do(ctx)
		if err != nil {
			return err
		}
		return os.WriteFile(file, b, 0o644)
	}))
}

// afternoon is a zone in which people have worked for some hours.
func afternoon(tb testing.TB) *time.Location {
	tb.Helper()
	for _, name := range []string{
		"Europe/Berlin", "Europe/Moscow", "Asia/Dubai", "Asia/Tashkent", "Asia/Bangkok", "Asia/Shanghai", "Asia/Tokyo", "Australia/Brisbane", "Pacific/Auckland",
		"Pacific/Honolulu", "America/Los_Angeles", "America/Chicago", "America/New_York", "America/Sao_Paulo", "Atlantic/Azores",
	} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			tb.Fatal(err)
		}
		if hour := time.Now().In(zone).Hour(); hour >= 14 && hour < 18 {
			return zone
		}
	}
	return time.UTC
}

// weekday is the last day before today on which people work.
func weekday(now time.Time) string {
	for now = now.AddDate(0, 0, -1); now.Weekday() == time.Saturday || now.Weekday() == time.Sunday; {
		now = now.AddDate(0, 0, -1)
	}
	return now.Format(time.DateOnly)
}
