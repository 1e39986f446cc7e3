package house

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// root is the repository's folder as seen from this package's.
const root = "../.."

// TestRules lists every package of the workspace and holds it to the rules.
func TestRules(t *testing.T) {
	prefix := modulePrefix(t)
	var all []listed
	for _, module := range modules(t) {
		all = append(all, packages(t, module)...)
	}
	const fewest = 5 // wire, api, roster, logind, helper: fewer means that listing went wrong
	if len(all) < fewest {
		t.Fatalf("listed only %d packages", len(all))
	}
	for _, v := range violations(prefix, all) {
		t.Error(v)
	}
}

// TestModulesBuildAlone builds each module without go.work, as someone would
// who takes only that one.
func TestModulesBuildAlone(t *testing.T) {
	for _, module := range modules(t) {
		t.Run(filepath.Base(module), func(t *testing.T) {
			t.Setenv("GOWORK", "off")
			goCommand(t, module, "build", "-o", os.DevNull, "./...")
		})
	}
}

// TestLogin1IsAskedInOnePlace keeps login1's names in hostd/logind: the import
// rule for godbus cannot, since units are started over the same bus.
func TestLogin1IsAskedInOnePlace(t *testing.T) {
	for _, module := range modules(t) {
		for _, p := range packages(t, module) {
			if strings.HasSuffix(p.ImportPath, "/hostd/logind") || strings.Contains(module, "deploy") {
				continue
			}
			for _, file := range p.GoFiles {
				text, err := os.ReadFile(filepath.Join(p.Dir, file))
				if err != nil {
					t.Fatal(err)
				}
				if bytes.Contains(text, []byte(`"org.freedesktop.login1`)) {
					t.Errorf("%s/%s speaks to login1; only hostd/logind does", p.ImportPath, file)
				}
			}
		}
	}
}

// TestRulesFindViolations breaks each rule once.
func TestRulesFindViolations(t *testing.T) {
	const prefix = "p.example/x"
	pkg := func(name string, imports ...string) listed {
		return listed{ImportPath: prefix + "/" + name, Doc: "Package is for a test.", Imports: imports}
	}
	tests := []struct {
		name string
		p    listed
		want string // part of the one violation; empty for none
	}{
		{"in order", pkg("hostd/upload", "fmt", prefix+"/hostd/buffer", prefix+"/server/api"), ""},
		{"main joins all", pkg("hostd/cmd/trackerd", prefix+"/hostd/upload", prefix+"/hostd/logind"), ""},
		{"backwards", pkg("hostd/buffer", prefix+"/hostd/upload"), "against the direction"},
		{"trackctl beyond control", pkg("hostd/cmd/trackctl", prefix+"/hostd/buffer"), "against the direction"},
		{"server's insides from hostd", pkg("hostd/upload", prefix+"/server/internal/store"), "against the direction"},
		{"unknown package", pkg("hostd/novelty"), "not in mayImport"},
		{"no comment", listed{ImportPath: prefix + "/hostd/config"}, "no package comment"},
		{"shapeless", pkg("deploy/util"), "says nothing"},
		{"wire imports a library", pkg("sessiond/wire", "github.com/x/y"), "only the standard library"},
		{"xgb elsewhere", pkg("hostd/helper", "github.com/jezek/xgb/xproto"), "only sessiond/internal/x11"},
		{"SQL elsewhere", pkg("server/internal/ingest", "github.com/jackc/pgx/v5"), "only server/internal/store"},
		{"godbus elsewhere", pkg("hostd/roster", "github.com/godbus/dbus/v5"), "only hostd/logind"},
		{"deploy uses all", pkg("demo", prefix+"/server/api", prefix+"/testhost"), ""},
		{
			"test imports a sibling",
			listed{ImportPath: prefix + "/server/api", Doc: "d", TestImports: []string{prefix + "/hostd/upload"}},
			"no sibling",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := violations(prefix, []listed{tt.p})
			switch {
			case tt.want == "" && len(got) > 0:
				t.Errorf("found %q, want nothing", got)
			case tt.want != "" && (len(got) != 1 || !strings.Contains(got[0], tt.want)):
				t.Errorf("found %q, want one with %q", got, tt.want)
			}
		})
	}
}

// modulePrefix is what all our modules' paths begin with.
func modulePrefix(t *testing.T) string {
	t.Helper()
	var mod struct{ Module struct{ Path string } }
	if err := json.Unmarshal([]byte(goCommand(t, ".", "mod", "edit", "-json")), &mod); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(mod.Module.Path, "/house")
}

// modules returns the folders that go.work names.
func modules(t *testing.T) []string {
	t.Helper()
	var work struct{ Use []struct{ DiskPath string } }
	if err := json.Unmarshal([]byte(goCommand(t, root, "work", "edit", "-json")), &work); err != nil {
		t.Fatal(err)
	}
	var dirs []string
	for _, use := range work.Use {
		dirs = append(dirs, filepath.Join(root, use.DiskPath))
	}
	if len(dirs) == 0 {
		t.Fatal("go.work names no module")
	}
	return dirs
}

func packages(t *testing.T, dir string) []listed {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(goCommand(t, dir, "list", "-json", "./...")))
	var all []listed
	for {
		var p listed
		err := decoder.Decode(&p)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// goCommand runs go in a folder and returns what it printed.
func goCommand(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = dir
	var out, problems strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &problems
	if err := cmd.Run(); err != nil {
		t.Fatalf("go %s in %s: %v\n%s", strings.Join(args, " "), dir, err, problems.String())
	}
	return strings.TrimSpace(out.String())
}
