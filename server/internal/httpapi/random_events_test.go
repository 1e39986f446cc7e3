package httpapi_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"activity-tracker.example/server/api"
)

// writer writes events as a host may that means harm: odd numbers, times in all of
// RFC 3339's ways, fields in any order, some of them twice.
type writer struct{ *rand.Rand }

func pick[T any](w writer, list ...T) T { return list[w.IntN(len(list))] }

// in reports true once in n times.
func (w writer) in(n int) bool { return w.IntN(n) == 0 }

// float returns a number as text, and what it is.
func (w writer) float(most float64) (string, float64) {
	text := pick(w, "0", "-0", "-0.0", "5e-324", "1e-400", "0.0004", "0.0005", "6e1", "0.6E2", "59.9996", "60.0005",
		"3600.0000000000000001", "36e2", "29.9995", "0.30000000000000004", "12.3456789012345678901234567890",
		strconv.FormatFloat(w.Float64()*most, 'g', -1, 64), strconv.FormatFloat(float64(w.IntN(int(most)*1000))/1000, 'f', -1, 64))
	if v, _ := strconv.ParseFloat(text, 64); v <= most {
		return text, v
	}
	return "1", 1
}

func (w writer) count() (string, int64) {
	text := pick(w, "0", "-0", "1000000000", strconv.Itoa(w.IntN(500)))
	n, _ := strconv.ParseInt(text, 10, 64)
	return text, n
}

// text returns an application's name or a title, and what is kept of it.
func (w writer) text(more ...string) (sent, kept string) {
	sent = pick(w, append(more, "", "=1+1", "a\u202eb", "\u2066left", "\t@SUM(1)", "a\x1b[31mred", "a;=1", "a\nb\r\nc", strings.Repeat("ж", 256))...)
	return sent, strings.NewReplacer("\u202e", "", "\u2066", "").Replace(sent)
}

func (w writer) app() (sent, kept string) {
	return w.text("firefox", "Firefox", "fox", "app1", fmt.Sprint("app", w.IntN(60)))
}

func (w writer) title() (sent, kept string) { return w.text("a secret plan", "work", "t3") }

// stamp writes a time.
func (w writer) stamp(t time.Time) string {
	zone := pick(w, 0, 0, 0, time.Hour, -210*time.Minute, 1439*time.Minute, -1439*time.Minute)
	local := t.In(time.FixedZone("", int(zone.Seconds())))
	text := local.Format("2006-01-02T15:04:05.999999")
	if t.Equal(t.Truncate(24*time.Hour)) && w.in(4) {
		return t.Add(-time.Second).Format("2006-01-02T15:04") + ":60" + pick(w, "Z", "z")
	}
	if !strings.Contains(text, ".") && w.in(4) {
		text += ".0000009999999" // less than a microsecond is cut off
	}
	if zone == 0 {
		return text + pick(w, "Z", "z", "+00:00", "-00:00")
	}
	return strings.Replace(text, "T", pick(w, "T", "t"), 1) + local.Format("-07:00")
}

// fields are an object's as they are written.
type fields []string

func (f *fields) add(name, value string) { *f = append(*f, strconv.Quote(name)+":"+value) }

// written joins fields in any order.
func (w writer) written(f fields) string {
	w.Shuffle(len(f), func(i, j int) { f[i], f[j] = f[j], f[i] })
	return "{" + strings.Join(f, ",") + "}"
}

func quoted(s string) string {
	b, _ := json.Marshal(s) // a text can always be written
	return string(b)
}

// event writes an event, and returns what it means.
func (w writer) event(machine string, at time.Time) (string, api.Event) {
	e := api.Event{MachineID: machine, Timestamp: at}
	f := fields{`"machine_id":` + quoted(machine), `"timestamp":"` + w.stamp(at) + `"`}
	w.counts(&e, &f)
	w.numbers(&e, &f)
	w.words(&e, &f)
	if n := pick(w, 0, 0, 1, 2, 3, 8, 9, 30, api.MaxFocus); n > 0 || w.in(3) {
		list := make([]string, n)
		e.Focus = make([]api.Focus, n)
		for i := range list {
			list[i], e.Focus[i] = w.focus()
		}
		f.add("focus", "["+strings.Join(list, ",")+"]")
	}
	text := w.written(f)
	if w.in(10) && strings.Contains(text, `"active_app"`) {
		text = `{"active_app":"the last one counts",` + text[1:]
	}
	return text, e
}

func (w writer) counts(e *api.Event, f *fields) {
	counters := api.Counters()
	for i, to := range e.Required() {
		if w.in(4) {
			continue
		}
		text, n := w.count()
		f.add(counters[i].Name, text)
		*to = n
	}
	for i, to := range e.Optional() {
		if w.in(2) {
			continue
		}
		text, n := w.count()
		f.add(counters[len(e.Required())+i].Name, text)
		*to = &n
	}
}

func (w writer) numbers(e *api.Event, f *fields) {
	whole := func(name string, to **int64, list ...int64) {
		if w.in(2) {
			n := pick(w, list...)
			f.add(name, strconv.FormatInt(n, 10))
			*to = &n
		}
	}
	whole("interval_sec", &e.IntervalSec, 1, 5, 59, 60, 61, 900, api.MaxIntervalSec)
	whole("collected_seconds", &e.CollectedSeconds, 0, 1, 5, 29, 60)
	if c := e.CollectedSeconds; c != nil && *c >= e.Interval() {
		*f = slices.DeleteFunc(*f, func(s string) bool { return strings.HasPrefix(s, `"collected_seconds"`) })
		if e.CollectedSeconds = nil; w.in(2) {
			f.add("collected_seconds", strconv.FormatInt(e.Interval(), 10)) // as if it were not said
		}
	}
	whole("user_ram_bytes", &e.UserRAMBytes, 0, 1, 1024, 123456789, 1<<50)
	share := func(name string, to **float64, most float64) {
		if w.in(2) {
			text, v := w.float(most)
			f.add(name, text)
			*to = &v
		}
	}
	share("active_seconds", &e.ActiveSeconds, pick(w, 60.0, 60, api.MaxIntervalSec))
	share("cpu_percent", &e.CPUPercent, 100)
	share("ram_used_percent", &e.RAMUsedPercent, 100)
	share("user_cpu_percent", &e.UserCPUPercent, 102_400)
}

func (w writer) words(e *api.Event, f *fields) {
	if w.in(2) {
		e.IsIdle = w.in(2)
		f.add("is_idle", strconv.FormatBool(e.IsIdle))
	}
	flag := func(name string, to **bool) {
		text := pick(w, "true", "false", "null", "")
		if text == "" {
			return
		}
		f.add(name, text)
		if text != "null" {
			*to = ptr(text == "true")
		}
	}
	flag("connected", &e.Connected)
	flag("locked", &e.Locked)
	if w.in(2) {
		e.SessionKind = pick(w, "", api.SessionRDP, api.SessionLocal, api.SessionTTY, api.SessionVirtual)
		f.add("session_kind", quoted(string(e.SessionKind)))
	}
	if w.in(2) {
		unit := pick(w, "", api.UnitPixels, api.UnitDevice)
		f.add("distance_unit", quoted(string(unit)))
		if unit == api.UnitDevice {
			e.DistanceUnit = unit
		}
	}
	app, kept := w.app()
	f.add("active_app", quoted(app))
	e.ActiveApp = kept
	title, kept := w.title()
	f.add("active_window", quoted(title))
	e.ActiveWindow = kept
}

// focus writes an entry of a focus list.
func (w writer) focus() (string, api.Focus) {
	var one api.Focus
	var f fields
	app, kept := w.app()
	f.add("app", quoted(app))
	one.App = kept
	title, kept := w.title()
	f.add("title", quoted(title))
	one.Title = kept
	text, v := w.float(pick(w, 60.0, 60, 10, api.MaxIntervalSec))
	f.add("seconds", text)
	one.Seconds = v
	if w.in(2) {
		text, v := w.float(pick(w, 60.0, 10, api.MaxIntervalSec))
		f.add("active_seconds", text)
		one.ActiveSeconds = &v
	}
	if w.in(30) {
		f.add("from_the_future", strings.Repeat("[", 300)+strings.Repeat("]", 300))
	}
	return w.written(f), one
}

// bad writes an event that is rejected, and returns the code.
func (w writer) bad(machine string, at time.Time) (string, api.Code) {
	const focus = `"focus":[`
	wrong := pick(w, []struct {
		field string
		code  api.Code
	}{
		{`"active_seconds":1e308`, api.CodeOutOfRange},
		{`"active_seconds":1e400`, api.CodeOutOfRange},
		{`"active_seconds":1e99999999999999999999`, api.CodeOutOfRange},
		{`"active_seconds":-1e-320`, api.CodeOutOfRange},
		{`"active_seconds":"NaN"`, api.CodeBadEvent},
		{`"key_count":1e3`, api.CodeBadEvent},
		{`"key_count":9223372036854775808`, api.CodeOutOfRange},
		{`"repeat_count":1000000001`, api.CodeOutOfRange},
		{`"repeat_count":-9223372036854775808`, api.CodeOutOfRange},
		{`"interval_sec":0`, api.CodeOutOfRange},
		{`"collected_seconds":61`, api.CodeOutOfRange},
		{`"collected_seconds":-1`, api.CodeOutOfRange},
		{`"interval_sec":3600,"collected_seconds":3601`, api.CodeOutOfRange},
		{`"collected_seconds":0.5`, api.CodeBadEvent},
		{`"locked":1`, api.CodeBadEvent},
		{`"distance_unit":"PX"`, api.CodeBadEvent},
		{focus + strings.Repeat(`{"app":"a","seconds":1},`, api.MaxFocus) + `{}]`, api.CodeTooLong},
		{focus + strings.Repeat(`{"app":"a","seconds":1},`, 3000) + `{}]`, api.CodeTooLong},
		{focus + `{"app":"a","seconds":1,"active_seconds":1e308}]`, api.CodeOutOfRange},
		{focus + `{"app":"a","seconds":1,"active_seconds":-0.001}]`, api.CodeOutOfRange},
		{focus + `"app"]`, api.CodeBadEvent},
		{focus + `{"app":"a\u0000"}]`, api.CodeBadText},
		{`"timestamp":"2026-06-30T23:59:61Z"`, api.CodeBadTimestamp},
		{`"timestamp":"2026-06-30T23:58:60Z"`, api.CodeBadTimestamp},
		{`"timestamp":"9999-12-31T23:59:60Z"`, api.CodeBadTimestamp},
		{`"timestamp":"2000-01-01T00:00:00+00:01"`, api.CodeBadTimestamp},
		{`"machine_id":"a\u00adb"`, api.CodeBadMachineID},
	}...)
	return `{"machine_id":` + quoted(machine) + `,"timestamp":"` + w.stamp(at) + `",` + wrong.field + `}`, wrong.code
}
