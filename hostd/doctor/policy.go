package doctor

import (
	"strconv"
	"strings"

	"activity-tracker.example/hostd/policy"
	"activity-tracker.example/server/api"
)

// Policy is what holds here, and how the host stands with the server's part of it.
type Policy struct {
	policy.State
	// Problem is what keeps the server's policy from being known.
	Problem string
	Rules   []policy.Rule
}

// checkPolicy reports what of the server's policy is known, what of it cannot be used, and
// who narrows what.
func checkPolicy(f *Facts) api.Check {
	c := api.Check{Name: "policy", Result: api.CheckOK}
	p := &f.Policy
	switch {
	case p.Problem != "":
		c.Result, c.Detail = api.CheckWarning, p.Problem
		c.Advice = "look at the check of the server; this host asks again by itself"
		if !p.Known {
			c.Result = api.CheckFailed
		}
	case !p.Known:
		c.Detail = "only what this host's file says: it is not enrolled"
	case p.None:
		c.Detail = "the server has none"
	default:
		c.Detail = "the server's revision is " + strconv.FormatInt(p.Revision, 10)
	}
	if p.Known && !p.Answered.IsZero() {
		c.Detail += ", asked for last at " + p.Answered.UTC().Format("2006-01-02 15:04:05 UTC")
	}
	c.Detail += "; " + narrowed(p.Rules)
	if p.Broken != nil {
		c.Result, c.Detail = api.CheckFailed, "no title is recorded, since "+p.Broken.Error()+"; "+c.Detail
		c.Advice = "correct the rules; 'trackerd-server policy check' examines them"
	}
	return c
}

// narrowed is who narrows what.
func narrowed(rules []policy.Rule) string {
	var parts []string
	for _, r := range rules {
		if len(r.From) > 0 {
			parts = append(parts, r.Name+" by "+strings.Join(r.From, " and "))
		}
	}
	if len(parts) == 0 {
		return "nothing is narrowed"
	}
	return "narrowed are " + strings.Join(parts, ", ")
}
