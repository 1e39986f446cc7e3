package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/parser"

	"activity-tracker.example/server/api/policy"
)

// ruleKeys are the keys that a server's policy has too, in the same form.
func ruleKeys() []key {
	return []key{
		{policy.FieldExclude, `a list of users, and of groups as @name, such as ["root", "@admins"]`, kindList, rule(policy.FieldExclude)},
		{policy.FieldWorkHours, `a zone and times such as {tz: "Europe/Moscow", mon-fri: ["09:00-18:00"]}`, kindMap, rule(policy.FieldWorkHours)},
		{policy.FieldNotice, `a text in ru, en or both, such as {ru: "Это наш хост.", en: "This is our host."}`, kindMap, rule(policy.FieldNotice)},
		{policy.FieldPause, `true or false`, kindBool, rule(policy.FieldPause)},
		{policy.FieldTitleRules, `a list of rules such as {title: "KeePass", action: drop}`, kindList, rule(policy.FieldTitleRules)},
	}
}

// Rules returns what the file sets of what a server's policy can narrow.
func (c *Config) Rules() policy.Document {
	d := c.rules
	if !c.Features.WindowTitles {
		d.Titles = new(false)
	}
	if c.Features.Screenshots.Allow {
		s := policy.Screenshots{Allow: new(true)}
		if d.Screenshots != nil {
			s.Kind, s.IntervalSec = d.Screenshots.Kind, d.Screenshots.IntervalSec
		}
		d.Screenshots = &s
	}
	return d
}

// rule checks a value as the same field of a policy is checked, and takes it.
func rule(field string) func(*Config, value) error {
	return func(c *Config, v value) error {
		var b strings.Builder
		fmt.Fprintf(&b, "{%q:", field)
		v.json(&b)
		b.WriteByte('}')
		d, err := policy.Parse([]byte(b.String()))
		var wrong *policy.FieldError
		if errors.As(err, &wrong) {
			return wrongWithin(strings.TrimPrefix(wrong.Field, field), wrong.Message)
		}
		if err != nil {
			return err
		}
		switch field {
		case keyScreenshots:
			if d.Screenshots.Allow != nil { // in a policy alone
				return errors.New("allow is no key of it; features.screenshots switches pictures on")
			}
			c.rules.Screenshots = d.Screenshots
		case policy.FieldExclude:
			c.rules.ExcludeUsers = d.ExcludeUsers
		case policy.FieldWorkHours:
			c.rules.WorkHours = d.WorkHours
		case policy.FieldNotice:
			c.rules.Notice = d.Notice
		case policy.FieldPause:
			c.rules.Pause = d.Pause
		case policy.FieldTitleRules:
			c.rules.TitleRules = d.TitleRules
		}
		return nil
	}
}

// json writes a value as JSON, its keys in their order.
func (v *value) json(b *strings.Builder) {
	switch v.kind {
	case kindNull:
		b.WriteString("null")
	case kindInt, kindFloat, kindBool:
		b.WriteString(strings.ToLower(v.text))
	case kindList:
		b.WriteByte('[')
		for i := range v.items {
			if i > 0 {
				b.WriteByte(',')
			}
			v.items[i].json(b)
		}
		b.WriteByte(']')
	case kindMap:
		b.WriteByte('{')
		for i := range v.fields {
			if i > 0 {
				b.WriteByte(',')
			}
			writeText(b, v.fields[i].name)
			b.WriteByte(':')
			v.fields[i].value.json(b)
		}
		b.WriteByte('}')
	case kindAny, kindString, kindOther:
		if v.kind == kindAny && (v.text == "true" || v.text == "false") {
			b.WriteString(v.text)
			return
		}
		writeText(b, v.text)
	}
}

func writeText(b *strings.Builder, text string) {
	quoted, _ := json.Marshal(text) // a text never fails
	b.Write(quoted)
}

// parseVariable reads a list or a group of keys out of a variable, written as YAML in
// one line.
func parseVariable(given string) (value, error) {
	file, err := parser.ParseBytes([]byte(given), 0)
	if err != nil || len(file.Docs) != 1 || file.Docs[0].Body == nil {
		return value{}, errors.New("is not valid YAML in one line")
	}
	return scalar(file.Docs[0].Body), nil
}

// wrongWithin describes what is wrong, and where within the key's value.
func wrongWithin(where, what string) error {
	if where = strings.TrimPrefix(where, "."); where != "" {
		what = where + " " + what
	}
	return errors.New(what)
}
