package hostid

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestKeepName(t *testing.T) {
	t.Parallel()
	here, elsewhere := ID{1}, ID{2}
	for name, c := range map[string]struct {
		file string
		want string
	}{
		"first start":                {"", "office2"},
		"renamed since":              {`{"host_id":"` + here.String() + `","hostname":"office"}`, "office"},
		"cloned from another":        {`{"host_id":"` + elsewhere.String() + `","hostname":"office"}`, "office2"},
		"damaged":                    {`{"host_id":"` + here.String() + `","hostn`, "office2"},
		"without a name":             {`{"host_id":"` + here.String() + `"}`, "office2"},
		"far longer than any such":   {`{"x":"` + strings.Repeat("x", maxNameFile) + `"}`, "office2"},
		"other values than expected": {`{"host_id":1}`, "office2"},
	} {
		path := filepath.Join(t.TempDir(), "name")
		if c.file != "" {
			if err := os.WriteFile(path, []byte(c.file), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		got, err := KeepName(path, here, "office2")
		if err != nil || got != c.want {
			t.Errorf("%s: %q, %v, want %q", name, got, err, c.want)
		}
		if again, err := KeepName(path, here, "office3.corp.example"); err != nil || again != c.want {
			t.Errorf("%s, and renamed after that: %q, %v, want %q", name, again, err, c.want)
		}
	}
}

func TestKeepNameWhereNothingCanBeKept(t *testing.T) {
	t.Parallel()
	got, err := KeepName(filepath.Join(t.TempDir(), "no-such-folder", "name"), ID{1}, "office")
	if err == nil || got != "office" {
		t.Errorf("%q, %v: want the name and why it is not kept", got, err)
	}
}
