package sso

import (
	"slices"
	"strings"
	"testing"

	"activity-tracker.example/server/internal/store/directory"
)

// The first line that fits gives the role, and lines of that role add their groups up.
func TestRoles(t *testing.T) {
	roles, err := ReadRoles(strings.NewReader(`
# who runs it
CN=admins,OU=x -> y,DC=example ->  admin
heads -> manager: Reception; Back office, night
night heads -> manager:Night
all heads -> manager
works council -> auditor
trainees -> viewer: Night
staff -> viewer
`))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		groups string
		role   directory.Role
		seen   []string
		all    bool
	}{
		{"", "", nil, false},
		{"everybody;Staff;staff ;admin", "", nil, false},
		{"staff", "viewer", nil, true},
		{"trainees", "viewer", []string{"Night"}, false},
		{"trainees;staff", "viewer", nil, true},
		{"staff;heads", "manager", []string{"Reception", "Back office, night"}, false},
		{"night heads;heads", "manager", []string{"Reception", "Back office, night", "Night"}, false},
		{"night heads;all heads;heads", "manager", nil, true},
		{"works council;staff", "auditor", nil, true},
		{"staff;works council;CN=admins,OU=x -> y,DC=example", "admin", nil, true},
	} {
		access := roles.Access(strings.Split(test.groups, ";"))
		if test.role == "" {
			if access != nil {
				t.Errorf("%q: %+v", test.groups, access)
			}
			continue
		}
		if access == nil || access.Role != test.role || access.Limited == test.all || !slices.Equal(access.Groups, test.seen) {
			t.Errorf("%q: %+v", test.groups, access)
		}
	}
	// What was read is not changed by being used.
	if again := roles.Access([]string{"heads"}); len(again.Groups) != 2 {
		t.Errorf("%+v", again)
	}
}

func TestRolesThatCannotBe(t *testing.T) {
	for text, want := range map[string]string{
		"":                                "no line",
		"# nothing\n\n":                   "no line",
		"staff = viewer":                  "line 1",
		"a -> viewer\nb -> root":          "line 2",
		"a -> admin: Reception":           "line 1",
		"a -> auditor: Reception":         "line 1",
		"a -> viewer:":                    "empty",
		"a -> viewer: ;":                  "empty",
		" -> viewer":                      "empty",
		"a ->":                            "role",
		"a\x00b -> viewer":                "want GROUP",
		"a\u202Eb -> viewer":              "want GROUP",
		"# " + strings.Repeat("x", 2<<20): "larger",
	} {
		if _, err := ReadRoles(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.30q: %v", text, err)
		}
	}
}
