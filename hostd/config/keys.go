package config

import (
	"errors"
	"fmt"
	"math"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"activity-tracker.example/hostd/text"
)

// Bounds of the numbers, as the contract states them.
const (
	minCollectSec = 5    // finer records show more about a person than about a machine's use
	maxCollectSec = 3600 // the server's roll-ups are hours: no record may span two
	hourSec       = 3600
	minSendSec    = 1
	maxSendSec    = 86400 // a day without an upload is as good as none
	minIdleSec    = 1
	maxIdleSec    = 86400
)

// maxTemplateBytes bounds a machine_id template: with the longest user name
// (256 bytes on Linux) cut by the roster it stays under the server's 255.
const maxTemplateBytes = 200

// maxShown bounds what a complaint repeats, in bytes: longer than any key there is,
// and enough to recognise a value.
const maxShown = 60

// Keys that are named where keys depend on each other, or on their file.
const (
	keyServerURL = "server_url"
	keyProxyURL  = "proxy_url"
	// keyScreenshots is the group with what features.screenshots switches on.
	keyScreenshots = "screenshots"
)

// value is one scalar as it was written, before it is checked.
type value struct {
	// kind is what YAML took it for; an environment variable is kindAny.
	kind kind
	text string
	// items are a list's; an environment variable's are between commas.
	items []value
	// fields are those of a group of keys.
	fields []field
}

// field is one key of a group that is a value.
type field struct {
	name  string
	value value
}

type kind string

const (
	kindAny    kind = "text from the environment"
	kindString kind = "a text"
	kindInt    kind = "a whole number"
	kindFloat  kind = "a number with a fraction"
	kindBool   kind = "true or false"
	kindNull   kind = "empty"
	kindList   kind = "a list"
	kindMap    kind = "a group of keys"
	kindOther  kind = "an anchor, alias or tag"
)

// key is one key of a file. A nested key's name is "group.key".
type key struct {
	name string
	// want completes "want …" in every complaint.
	want string
	// kind is what its value must be.
	kind kind
	// assign stores a value of that kind, or returns what is wrong with it.
	assign func(*Config, value) error
}

// set checks the value's kind and assigns it.
func (k key) set(c *Config, v value) error {
	switch {
	case v.kind == kindNull:
		return fmt.Errorf("has no value; want %s, or leave the key out", k.want)
	case v.kind != kindAny && v.kind != k.kind:
		return fmt.Errorf("%s; want %s", v.describe(), k.want)
	}
	if err := k.assign(c, v); err != nil {
		if errors.Is(err, errOutOfRange) {
			return fmt.Errorf("%s is not allowed; want %s", quoted(v), k.want)
		}
		return err
	}
	return nil
}

// errOutOfRange asks for the complaint that names what the key wants.
var errOutOfRange = errors.New("not allowed")

// fileKeys are the keys of the administrator's file. Each is also read from
// the environment, under envName.
func fileKeys() []key { return slices.Concat(plainKeys(), ruleKeys(), lastKeys()) }

func plainKeys() []key {
	return []key{
		{
			keyServerURL, "an https URL such as https://tracker-api.example.org", kindString,
			func(c *Config, v value) error { c.ServerURL = v.text; return nil },
		},
		{"machine_id", fmt.Sprintf("a printable text of at most %d bytes such as vm-abc123-{user}", maxTemplateBytes), kindString, setMachineID},
		{
			"collect_interval_sec", "a divisor of 3600 from 5 to 3600", kindInt,
			func(c *Config, v value) error {
				err := setSeconds(&c.CollectInterval, v, minCollectSec, maxCollectSec)
				if err == nil && hourSec%int(c.CollectInterval/time.Second) != 0 {
					return errOutOfRange
				}
				return err
			},
		},
		{
			"send_interval_sec", "a number of seconds from 1 to 86400", kindInt,
			func(c *Config, v value) error { return setSeconds(&c.SendInterval, v, minSendSec, maxSendSec) },
		},
		{
			"idle_after_sec", "a number of seconds from 1 to 86400", kindInt,
			func(c *Config, v value) error { return setSeconds(&c.IdleAfter, v, minIdleSec, maxIdleSec) },
		},
		{"buffer_path", "the absolute path of a file", kindString, setBufferPath},
		{
			"allow_http", "true or false", kindBool,
			func(c *Config, v value) error { return setBool(&c.AllowHTTP, v) },
		},
		{keyProxyURL, "the URL of a proxy such as http://proxy.example.org:3128", kindString, setProxyURL},
		{"ca_file", "the absolute path of a file", kindString, setCAFile},
		{
			"features.track_system_stats", "true or false", kindBool,
			func(c *Config, v value) error { return setBool(&c.Features.TrackSystemStats, v) },
		},
		{
			"features.window_titles", "true or false", kindBool,
			func(c *Config, v value) error { return setBool(&c.Features.WindowTitles, v) },
		},
		{keySessions, "a list such as [rdp, local], of rdp, local and virtual", kindList, setSessions},
		{keyVirtualUser, "the name of the user whose virtual displays are measured", kindString, setVirtualUser},
		{"real_input_devices", "a list of the names of input devices", kindList, setRealInputDevices},
	}
}

// lastKeys come last, so that no complaint proposes them first.
func lastKeys() []key {
	return []key{
		{keyScreenshots, `a kind and an interval such as {interval_sec: 600, kind: blurred}`, kindMap, rule(keyScreenshots)},
		{
			"features.screenshots", "true or false", kindBool,
			func(c *Config, v value) error { return setBool(&c.Features.Screenshots.Allow, v) },
		},
	}
}

// enrollmentKeys are the keys of the file that enrolment writes.
func enrollmentKeys() []key {
	return []key{
		{
			keyServerURL, "the URL that the host enrolled with", kindString,
			func(c *Config, v value) error { c.Enrollment.ServerURL = v.text; return nil },
		},
		{"host_id", "32 hexadecimal digits", kindString, setHostID},
		{
			"allow_http", "true or false", kindBool,
			func(c *Config, v value) error { return setBool(&c.Enrollment.AllowHTTP, v) },
		},
	}
}

// setProxyURL takes a proxy. Its complaints repeat no value, which may hold a password.
func setProxyURL(c *Config, v value) error {
	if v.text == "" { // the environment's, as without the key
		c.ProxyURL = ""
		return nil
	}
	u, err := url.Parse(v.text)
	switch {
	case err != nil || len(v.text) > maxURLBytes || u.Hostname() == "" || u.Opaque != "":
		return errors.New("is no URL of a proxy; want one such as http://proxy.example.org:3128 or http://NAME:PASSWORD@proxy.example.org:3128")
	case !slices.Contains([]string{"http", "https", "socks5"}, u.Scheme):
		return errors.New("has a scheme that no proxy has; want http, https or socks5")
	case u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "":
		return errors.New("has more than a host and a port; want one such as http://proxy.example.org:3128")
	}
	c.ProxyURL = v.text
	return nil
}

// holdsPassword reports whether a URL has one.
func holdsPassword(raw string) bool {
	u, err := url.Parse(raw)
	if err != nil || u.User == nil {
		return false
	}
	_, set := u.User.Password()
	return set
}

func setCAFile(c *Config, v value) error {
	if v.text != "" && (!filepath.IsAbs(v.text) || strings.HasSuffix(v.text, "/") || strings.ContainsRune(v.text, 0)) {
		return errOutOfRange
	}
	c.CAFile = v.text
	return nil
}

func setMachineID(c *Config, v value) error {
	if v.text != "" && !text.Printable(v.text, maxTemplateBytes) || strings.Contains(v.text, " ") {
		return errOutOfRange
	}
	if rest := strings.ReplaceAll(v.text, "{user}", ""); strings.ContainsAny(rest, "{}") {
		return errors.New("has braces that are not {user}; only {user} is filled in")
	}
	c.MachineID = v.text
	return nil
}

func setBufferPath(c *Config, v value) error {
	if !filepath.IsAbs(v.text) || strings.HasSuffix(v.text, "/") || strings.ContainsRune(v.text, 0) {
		return errOutOfRange
	}
	c.BufferPath = filepath.Clean(v.text)
	return nil
}

func setHostID(c *Config, v value) error {
	const hexDigits = 32
	if len(v.text) != hexDigits || strings.Trim(v.text, "0123456789abcdef") != "" {
		return errOutOfRange
	}
	c.Enrollment.HostID = v.text
	return nil
}

func setSeconds(dst *time.Duration, v value, low, high int64) error {
	n, err := strconv.ParseInt(v.text, 10, 64)
	if err != nil || n < low || n > high || n > math.MaxInt64/int64(time.Second) {
		return errOutOfRange
	}
	*dst = time.Duration(n) * time.Second
	return nil
}

func setBool(dst *bool, v value) error {
	switch strings.ToLower(v.text) {
	case "true":
		*dst = true
	case "false":
		*dst = false
	default:
		return errOutOfRange
	}
	return nil
}

// describe returns what a value of the wrong kind is, with the value if it is one.
func (v value) describe() string {
	if v.text == "" {
		return "is " + string(v.kind)
	}
	return quoted(v) + " is " + string(v.kind)
}

// quoted shows a value in a complaint: numbers as they are, texts quoted and
// cut, so that the complaint stays one line.
func quoted(v value) string {
	s := text.Cut(v.text, maxShown)
	if v.kind == kindInt || v.kind == kindBool || v.kind == kindFloat {
		return s
	}
	return strconv.Quote(s)
}
