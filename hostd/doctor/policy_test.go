package doctor

import (
	"errors"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/hostd/policy"
	"activity-tracker.example/server/api"
)

func TestCheckPolicy(t *testing.T) {
	at := time.Date(2026, time.November, 22, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		policy Policy
		result api.CheckResult
		words  []string
	}{
		"file alone": {Policy{}, api.CheckOK, []string{"not enrolled", "nothing is narrowed"}},
		"none":       {Policy{State: policy.State{Known: true, None: true, Answered: at}}, api.CheckOK, []string{"has none", "2026-11-22 12:00:00 UTC"}},
		"some": {
			Policy{
				State: policy.State{Known: true, Revision: 7},
				Rules: []policy.Rule{{Name: "work_hours", From: []string{"file", "policy 12"}}, {Name: "titles"}, {Name: "pause", From: []string{"policy 12"}}},
			},
			api.CheckOK,
			[]string{"revision is 7", "work_hours by file and policy 12, pause by policy 12"},
		},
		"waiting": {Policy{Problem: "waiting for policy: nothing is measured"}, api.CheckFailed, []string{"waiting"}},
		"away": {
			Policy{State: policy.State{Known: true, Revision: 7, Answered: at}, Problem: "the server's policy holds as it was last known"},
			api.CheckWarning,
			[]string{"as it was last known, asked for last at 2026-11-22 12:00:00 UTC"},
		},
		"broken": {
			Policy{State: policy.State{Known: true, Broken: errors.New("rule 3 cannot be compiled")}, Problem: "it is away"},
			api.CheckFailed,
			[]string{"no title is recorded, since rule 3 cannot be compiled", "it is away"},
		},
	} {
		got := checkPolicy(&Facts{Policy: c.policy})
		if got.Result != c.result || (got.Result != api.CheckOK) != (got.Advice != "") {
			t.Errorf("%s: %+v", name, got)
		}
		for _, words := range c.words {
			if !strings.Contains(got.Detail, words) {
				t.Errorf("%s: %q lacks %q", name, got.Detail, words)
			}
		}
	}
}
