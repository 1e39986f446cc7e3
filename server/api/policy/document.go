// Package policy is what an organisation lets its hosts measure: work hours, who is left
// out, titles and their rules, screenshots, pauses and the notice. A host's own file has
// the same fields in the same types, and of both the narrower holds.
package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	_ "time/tzdata" // a zone that a policy names is there on every host
	"unicode"
	"unicode/utf8"
)

// Limits of a policy. They bound what an administrator's mistake costs each host.
const (
	// MaxDocumentBytes bounds a policy as JSON.
	MaxDocumentBytes = 128 << 10
	// MaxExcluded bounds the users and groups that are not measured: more belong into a
	// group.
	MaxExcluded = 500
	// MaxUserBytes bounds the name of a user or group: LDAP's are longer than Linux's 32.
	MaxUserBytes = 128
	// MaxNoticeBytes bounds the notice's text in one language: a page or two.
	MaxNoticeBytes = 4096
	// MinScreenshotSec and MaxScreenshotSec bound the time between two pictures.
	MinScreenshotSec = 60
	MaxScreenshotSec = 86_400
	// MaxRetentionDays is a century: more is a mistake.
	MaxRetentionDays = 36_525
)

// ErrTooLarge is the kind of errors about more than the limits allow.
var ErrTooLarge = errors.New("more than a policy may have")

// FieldError is an error in one field, named as it is written in JSON and YAML.
type FieldError struct {
	Field   string
	Message string
	// TooLarge means that a limit is exceeded.
	TooLarge bool
}

func (e *FieldError) Error() string {
	if e.Field == "" {
		return e.Message
	}
	return e.Field + ": " + e.Message
}

// Is reports whether the error is of the kind ErrTooLarge.
func (e *FieldError) Is(target error) bool { return target == ErrTooLarge && e.TooLarge }

func wrong(field, format string, args ...any) error {
	return &FieldError{Field: field, Message: fmt.Sprintf(format, args...)}
}

func tooLarge(field, format string, args ...any) error {
	return &FieldError{Field: field, Message: fmt.Sprintf(format, args...), TooLarge: true}
}

// Document is what a policy contains, or a host's file. What is absent sets nothing.
type Document struct {
	// WorkHours are the times in which anything is collected; nil is always.
	WorkHours *WorkHours `json:"work_hours,omitempty"`
	// ExcludeUsers are users, and groups as @name, that are not measured at all.
	ExcludeUsers []string `json:"exclude_users,omitempty"`
	// Titles is false where no window's title is recorded.
	Titles *bool `json:"titles,omitempty"`
	// TitleRules drop or replace titles; the first that matches.
	TitleRules  Rules        `json:"title_rules,omitempty"`
	Screenshots *Screenshots `json:"screenshots,omitempty"`
	// Pause is false where people may not pause being measured.
	Pause *bool `json:"pause,omitempty"`
	// Self is false where people may not open their own page by 'trackctl web'. The server
	// asks it when a link is made and used.
	Self *bool `json:"self,omitempty"`
	// Notice is shown to those who are measured, beside what the rules amount to.
	Notice *Notice `json:"notice,omitempty"`
	// Retention is how long the server keeps what it was sent; hosts ignore it.
	Retention *Retention `json:"retention,omitempty"`
}

// Kind is what can be made out on a screenshot.
type Kind string

// The kinds of screenshots. Blurred is the narrower.
const (
	Blurred  Kind = "blurred"
	Readable Kind = "readable"
)

// Screenshots is whether there are any, of which kind, and how often.
type Screenshots struct {
	Allow       *bool `json:"allow,omitempty"`
	Kind        Kind  `json:"kind,omitempty"`
	IntervalSec int   `json:"interval_sec,omitempty"`
}

// Notice is a text in two languages: plain, with line breaks.
type Notice struct {
	RU string `json:"ru,omitempty"`
	EN string `json:"en,omitempty"`
}

// Retention is for how many days each kind is kept; absent is as the server is set.
type Retention struct {
	EventsDays      *int `json:"events_days,omitempty"`
	TitlesDays      *int `json:"titles_days,omitempty"`
	RollupsDays     *int `json:"rollups_days,omitempty"`
	ScreenshotsDays *int `json:"screenshots_days,omitempty"`
}

// Parse reads a policy from JSON and checks all of it. A field that it does not know is
// an error: it may be a misspelt rule that would not hold.
func Parse(data []byte) (Document, error) {
	if len(data) > MaxDocumentBytes {
		return Document{}, tooLarge("", "a policy has at most %d bytes", MaxDocumentBytes)
	}
	if !utf8.Valid(data) {
		return Document{}, wrong("", "not UTF-8")
	}
	var d Document
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&d); err != nil {
		return Document{}, decodeError(err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return Document{}, wrong("", "more after the policy's end")
	}
	return d, d.Validate()
}

// ParseFor is Parse for a policy of a group of hosts, or of all (nil). How long something
// is kept is the same for all hosts.
func ParseFor(group *string, data []byte) (Document, error) {
	d, err := Parse(data)
	if err == nil && group != nil && d.Retention != nil {
		err = wrong("retention", "can only be set for all hosts")
	}
	return d, err
}

// decodeError names the field of an error of the decoder.
func decodeError(err error) error {
	var typed *json.UnmarshalTypeError
	var field *FieldError
	switch {
	case errors.As(err, &field):
		return field
	case errors.As(err, &typed):
		return wrong(typed.Field, "a JSON %s is of the wrong type", typed.Value)
	case errors.Is(err, io.EOF):
		return wrong("", "empty")
	default:
		return wrong("", "%s", strings.TrimPrefix(err.Error(), "json: "))
	}
}

// Validate checks all fields; the first error names its own.
func (d *Document) Validate() error {
	if err := d.WorkHours.validate(); err != nil {
		return err
	}
	for _, check := range []func() error{d.validateUsers, d.TitleRules.Validate, d.validateScreenshots, d.validateNotice, d.validateRetention} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (d *Document) validateUsers() error {
	if len(d.ExcludeUsers) > MaxExcluded {
		return tooLarge("exclude_users", "%d names; at most %d", len(d.ExcludeUsers), MaxExcluded)
	}
	for i, name := range d.ExcludeUsers {
		field := fmt.Sprintf("exclude_users[%d]", i)
		bare := strings.TrimPrefix(name, "@")
		switch {
		case bare == "" || strings.TrimSpace(bare) != bare || strings.HasPrefix(bare, "@"):
			return wrong(field, "%q is no name of a user, nor of a group as @name", name)
		case len(bare) > MaxUserBytes:
			return tooLarge(field, "a name has at most %d bytes", MaxUserBytes)
		case strings.ContainsAny(bare, ":,/"):
			return wrong(field, "%q is no name of a user: it has one of : , /", name)
		}
		if err := checkText(field, bare, false); err != nil {
			return err
		}
	}
	return nil
}

func (d *Document) validateScreenshots() error {
	s := d.Screenshots
	switch {
	case s == nil:
		return nil
	case s.Kind != "" && s.Kind != Blurred && s.Kind != Readable:
		return wrong("screenshots.kind", "%q is neither blurred nor readable", s.Kind)
	case s.IntervalSec != 0 && (s.IntervalSec < MinScreenshotSec || s.IntervalSec > MaxScreenshotSec):
		return wrong("screenshots.interval_sec", "%d is not from %d to %d", s.IntervalSec, MinScreenshotSec, MaxScreenshotSec)
	}
	return nil
}

func (d *Document) validateNotice() error {
	if d.Notice == nil {
		return nil
	}
	for _, text := range []struct{ field, text string }{{"notice.ru", d.Notice.RU}, {"notice.en", d.Notice.EN}} {
		if len(text.text) > MaxNoticeBytes {
			return tooLarge(text.field, "%d bytes; at most %d", len(text.text), MaxNoticeBytes)
		}
		if err := checkText(text.field, text.text, true); err != nil {
			return err
		}
	}
	return nil
}

func (d *Document) validateRetention() error {
	if d.Retention == nil {
		return nil
	}
	for _, kind := range d.Retention.Kinds() {
		if kind.Days != nil && (*kind.Days < 1 || *kind.Days > MaxRetentionDays) {
			return wrong("retention."+kind.Field, "%d is not from 1 to %d", *kind.Days, MaxRetentionDays)
		}
	}
	return nil
}

// RetentionKind is how long one kind is kept.
type RetentionKind struct {
	Field string
	Days  *int
}

// Kinds returns each kind's field and days.
func (r *Retention) Kinds() []RetentionKind {
	if r == nil {
		return nil
	}
	return []RetentionKind{
		{"events_days", r.EventsDays},
		{"titles_days", r.TitlesDays},
		{"rollups_days", r.RollupsDays},
		{"screenshots_days", r.ScreenshotsDays},
	}
}

// checkText refuses what changes how the text around it is shown: control characters and
// those that turn the direction of writing.
func checkText(field, text string, lines bool) error {
	if !utf8.ValidString(text) {
		return wrong(field, "not UTF-8")
	}
	for _, r := range text {
		if r == '\n' && lines {
			continue
		}
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029' {
			return wrong(field, "the character U+%04X is not allowed", r)
		}
	}
	return nil
}
