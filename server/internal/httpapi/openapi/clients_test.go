package openapi

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The tools, in versions that were tried. Redocly's second one needs a newer Node.js
// than Debian 12 has.
const (
	oapiCodegen = "github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen@v2.8.2"
	ogen        = "github.com/ogen-go/ogen/cmd/ogen@v1.25.0"
)

var npmTools = []string{"openapi-typescript@7.13.0", "typescript@5.9.3", "@redocly/cli@1.34.5", "@stoplight/spectral-cli@6.16.3"}

// workshop is an empty folder with the description, in which tools run.
type workshop struct {
	t   *testing.T
	dir string
}

func newWorkshop(t *testing.T) workshop {
	t.Helper()
	w := workshop{t: t, dir: t.TempDir()}
	w.write("openapi.json", document)
	return w
}

func (w workshop) write(name string, content []byte) {
	w.t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, name), content, 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// run runs a command, which must succeed, and returns what it wrote.
func (w workshop) run(name string, args ...string) string {
	w.t.Helper()
	cmd := exec.CommandContext(w.t.Context(), name, args...)
	cmd.Dir = w.dir
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod", "NO_UPDATE_NOTIFIER=1", "REDOCLY_TELEMETRY=off")
	out, err := cmd.CombinedOutput()
	if err != nil {
		w.t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// Clients that generators for Go make of the description compile.
func TestSlowGoClients(t *testing.T) {
	for name, generate := range map[string][]string{
		"oapi-codegen": {"run", oapiCodegen, "-generate", "types,client", "-package", "client", "-o", "client.gen.go", "openapi.json"},
		"ogen":         {"run", ogen, "--target", ".", "--package", "client", "openapi.json"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorkshop(t)
			w.write("go.mod", []byte("module example.org/client\n\ngo 1.26\n"))
			w.run("go", generate...)
			w.run("go", "mod", "tidy")
			w.run("go", "build", "./...")
		})
	}
}

// A client in TypeScript compiles, and linters of descriptions find nothing.
func TestSlowTypeScriptAndLinters(t *testing.T) {
	w := newWorkshop(t)
	for _, name := range []string{"redocly.yaml", ".spectral.yaml"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		w.write(name, text)
	}
	w.run("npm", append([]string{"install", "--no-audit", "--no-fund"}, npmTools...)...)
	tool := func(name string) string { return filepath.Join(w.dir, "node_modules", ".bin", name) }
	w.run(tool("openapi-typescript"), "openapi.json", "-o", "api.ts")
	w.run(tool("tsc"), "--noEmit", "--strict", "api.ts")
	if out := w.run(tool("redocly"), "lint", "openapi.json"); strings.Contains(out, "warning") {
		t.Error(out)
	}
	w.run(tool("spectral"), "lint", "--fail-severity", "warn", "openapi.json")
}
