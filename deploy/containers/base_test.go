package containers

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"activity-tracker.example/testhost/debian"
)

// No registry of images is reached from everywhere that tests run, so the images
// that Dockerfile and docker-compose.yml begin with are made here, under their
// names. They have what these two rely on: a shell and Go; PostgreSQL with its
// entry point, its user and its volume; certificates and no shell.
func (e *engine) makeBaseImages(t *testing.T) {
	list := stages(t)
	tree, err := debian.Build(t.Context(), debian.Bare(debian.Trixie).With("postgresql", "postgresql-17"), t.Output())
	if err != nil {
		t.Fatal(err)
	}
	e.importImage(t, "localhost/debian", nil, `tar -c -C "$1" .`, tree)
	e.podman(t, "build", "--format", "docker", "--tag", "docker.io/library/"+list[1].BaseName,
		"--file", abs(t, "testdata/postgres.Dockerfile"), abs(t, "testdata"))
	e.golangImage(t, "docker.io/library/"+list[0].BaseName, tree)
	e.importImage(t, list[len(list)-1].BaseName, []string{"ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt"},
		`tar -c -C "$1" ./etc/ssl/certs/ca-certificates.crt`, tree)
}

// golangImage makes one of a Debian, this machine's Go, and the modules that the
// server needs: builds there reach no network.
func (e *engine) golangImage(t *testing.T, name, tree string) {
	t.Helper()
	root := strings.TrimSpace(run(t, goCommand(t.Context(), "env", "GOROOT")))
	have := strings.TrimSpace(run(t, goCommand(t.Context(), "env", "GOVERSION")))
	if !strings.Contains(name, ":"+strings.TrimPrefix(have, "go")+"-") {
		t.Fatalf("%s is wanted, and here is %s", name, have)
	}
	e.importImage(t, name, []string{
		"ENV GOPATH=/go", "ENV GOPROXY=file:///proxy", "ENV GOSUMDB=off", "WORKDIR /go",
		"ENV PATH=/go/bin:/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	}, `
		# One archive after another is one, without the two empty blocks at the
		# end of the first.
		open_end() { tar -b 1 -c "$@" | head -c -1024; }
		open_end -C "$1" --exclude=./usr/lib/postgresql --exclude='./usr/lib/*/libLLVM*' .
		open_end -C "$2" --transform 's,^\.,./usr/local/go,' .
		tar -c -C "$3" --transform 's,^\.,./proxy,' .`, tree, root, modules(t))
}

// modules returns a folder that serves as a proxy of the server's modules.
func modules(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	known := strings.TrimSpace(run(t, goCommand(t.Context(), "env", "GOMODCACHE")))
	proxy := strings.TrimSpace(run(t, goCommand(t.Context(), "env", "GOPROXY")))
	cmd := goCommand(t.Context(), "mod", "download")
	cmd.Env = append(cmd.Env, "GOMODCACHE="+dir, "GOPROXY=file://"+known+"/cache/download,"+proxy, "GOSUMDB=off")
	run(t, cmd)
	return filepath.Join(dir, "cache", "download")
}

// goCommand prepares Go in the server's module alone, as an image's build has it.
func goCommand(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = serverDir
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-modcacherw", "GOTOOLCHAIN=local")
	return cmd
}

// importImage makes an image of the archive that a script writes.
func (e *engine) importImage(t *testing.T, name string, changes []string, script string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), slowest)
	defer cancel()
	archive := exec.CommandContext(ctx, "bash", append([]string{"-euo", "pipefail", "-c", script, "archive"}, args...)...)
	archive.Stderr = t.Output()
	stdout, err := archive.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := archive.Start(); err != nil {
		t.Fatal(err)
	}
	options := []string{"--remote", "import"}
	for _, change := range changes {
		options = append(options, "--change", change)
	}
	cmd := e.command(ctx, "podman", append(options, "-", name)...)
	cmd.Stdin = stdout
	out, err := cmd.CombinedOutput()
	if err := errors.Join(err, archive.Wait()); err != nil {
		t.Fatalf("import %s: %v\n%s", name, err, out)
	}
}

func abs(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}
