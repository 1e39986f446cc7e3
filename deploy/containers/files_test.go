package containers

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// serverDir is the folder that is deployed.
const serverDir = "../../server"

// nonRoot is the user that the images run as: distroless calls it so.
const nonRoot = "65532:65532"

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// stages reads the Dockerfile; whatever BuildKit's linter finds fails.
func stages(t *testing.T) []instructions.Stage {
	t.Helper()
	result, err := parser.Parse(bytes.NewReader(read(t, filepath.Join(serverDir, "Dockerfile"))))
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range result.Warnings {
		t.Errorf("parser: %s", w.Short)
	}
	lint := linter.New(&linter.Config{Warn: func(rule, description, _, short string, at []parser.Range) {
		t.Errorf("linter: %s: %s (%s) %v", rule, short, description, at)
	}})
	list, _, err := instructions.Parse(result.AST, lint)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestDockerfile(t *testing.T) {
	list := stages(t)
	goVersion := regexp.MustCompile(`(?m)^toolchain go(\S+)`).FindSubmatch(read(t, "../../go.work"))
	if want := fmt.Sprintf("golang:%s-bookworm", goVersion[1]); list[0].BaseName != want {
		t.Errorf("built with %s, and go.work says %s", list[0].BaseName, want)
	}
	if tools, want := list[1], composed(t).Services["db"].Image; tools.Name != "tools" || tools.BaseName != want {
		t.Errorf("backups are made with %s, of a database of %s", tools.BaseName, want)
	}
	// An engine builds the last stage where none is named.
	if last := list[len(list)-1]; last.Name != "" || !strings.HasPrefix(last.BaseName, "gcr.io/distroless/static-") {
		t.Errorf("the last stage is %q from %s", last.Name, last.BaseName)
	}
	for _, stage := range list {
		if !strings.Contains(stage.BaseName, ":") || strings.HasSuffix(stage.BaseName, ":latest") {
			t.Errorf("%s is no fixed version", stage.BaseName)
		}
	}
	for _, stage := range list[1:] {
		user, entry := "", ""
		for _, command := range stage.Commands {
			switch c := command.(type) {
			case *instructions.UserCommand:
				user = c.User
			case *instructions.EntrypointCommand:
				entry = strings.Join(c.CmdLine, " ")
			}
		}
		if user != nonRoot || entry != "/usr/bin/trackerd-server" {
			t.Errorf("%s runs %s as %s", stage.BaseName, entry, user)
		}
	}
}

// composed reads the compose file as the specification's own library does.
func composed(t *testing.T) *types.Project {
	t.Helper()
	path, err := filepath.Abs(filepath.Join(serverDir, "docker-compose.yml"))
	if err != nil {
		t.Fatal(err)
	}
	project, err := loader.LoadWithContext(t.Context(), types.ConfigDetails{
		WorkingDir: filepath.Dir(path), ConfigFiles: []types.ConfigFile{{Filename: path}},
	}, func(o *loader.Options) {
		o.SetProjectName("tracker", true)
		o.Profiles = []string{"*"}
	})
	if err != nil {
		t.Fatal(err)
	}
	return project
}

func TestCompose(t *testing.T) {
	project := composed(t)
	for name, s := range project.Services {
		if !s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"}) || !slices.Contains(s.SecurityOpt, "no-new-privileges:true") || s.Privileged {
			t.Errorf("%s is not hardened", name)
		}
		for variable, value := range s.Environment {
			if strings.Contains(variable, "PASSWORD") && !strings.HasSuffix(variable, "_FILE") {
				t.Errorf("%s has %s=%s", name, variable, *value)
			}
		}
		if s.Build == nil && (!strings.Contains(s.Image, ":") || strings.HasSuffix(s.Image, ":latest")) {
			t.Errorf("%s: %s is no fixed version", name, s.Image)
		}
	}
	api, db := project.Services["api"], project.Services["db"]
	if len(api.Ports) != 1 || api.Ports[0].Published != "8100" || api.Ports[0].Target != 8100 || len(db.Ports) != 0 {
		t.Errorf("ports %+v and %+v", api.Ports, db.Ports)
	}
	if api.User != nonRoot || len(api.CapAdd) != 0 || api.Build.Target != "" || project.Services["tools"].Build.Target != "tools" {
		t.Errorf("api: user %s, capabilities %v, target %q", api.User, api.CapAdd, api.Build.Target)
	}
	if got := api.DependsOn["password"].Condition; got != types.ServiceConditionCompletedSuccessfully {
		t.Errorf("api waits for the password to be %s", got)
	}
	if got := time.Duration(*api.StopGracePeriod); got <= 30*time.Second {
		t.Errorf("api is killed after %v, before it has finished", got)
	}
}

// The command that README.md has reads it, too; it needs no engine for that.
func TestComposeCommand(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, args := range [][]string{{"config", "--quiet"}, {"--profile", "tools", "config", "--services"}} {
		cmd := exec.CommandContext(ctx, "docker-compose", args...)
		cmd.Dir = serverDir
		out, err := cmd.CombinedOutput()
		if err != nil || len(args) > 2 && !strings.Contains(string(out), "tools") {
			t.Errorf("docker-compose %q: %v\n%s", args, err, out)
		}
	}
}

// CapRover builds the Dockerfile beside it.
func TestCaptainDefinition(t *testing.T) {
	var definition struct {
		SchemaVersion  int    `json:"schemaVersion"`
		DockerfilePath string `json:"dockerfilePath"`
	}
	d := json.NewDecoder(bytes.NewReader(read(t, filepath.Join(serverDir, "captain-definition"))))
	d.DisallowUnknownFields()
	if err := d.Decode(&definition); err != nil {
		t.Fatal(err)
	}
	if definition.SchemaVersion != 2 || filepath.Clean(definition.DockerfilePath) != "Dockerfile" {
		t.Errorf("%+v", definition)
	}
}
