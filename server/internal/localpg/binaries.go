package localpg

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
)

// debianBinaries is where Debian keeps one folder of binaries for each major
// version of PostgreSQL; they are not in PATH.
const debianBinaries = "/usr/lib/postgresql/*/bin"

// versionFile names the major version that a data folder belongs to.
const versionFile = "PG_VERSION"

// Exists reports whether there is a private PostgreSQL in that state folder, or
// something that only another user can look into.
func Exists(stateDir string) bool {
	_, err := os.Stat(filepath.Join(stateDir, "postgres", "data", versionFile))
	return err == nil || errors.Is(err, os.ErrPermission)
}

// begun reports that somebody has begun to make a private PostgreSQL there, or has made
// it.
func begun(stateDir string) bool {
	_, err := os.Stat(filepath.Join(stateDir, "postgres"))
	return err == nil || errors.Is(err, os.ErrPermission)
}

// Installed reports whether this machine has PostgreSQL's programs.
func Installed() bool {
	_, err := findBinaries("")
	return err == nil
}

// findBinaries returns the folder with postgres and initdb: of the data folder's
// version where there is one already, else the newest.
func findBinaries(dataDir string) (string, error) {
	want := ""
	b, err := os.ReadFile(filepath.Join(dataDir, versionFile))
	switch {
	case err == nil:
		want = strings.TrimSpace(string(b))
	case errors.Is(err, os.ErrPermission):
		return "", fmt.Errorf("the private database is another user's; run this as the user who runs the server: %w", err)
	case !errors.Is(err, os.ErrNotExist):
		return "", fmt.Errorf("reading the private database's version: %w", err)
	}
	candidates, err := filepath.Glob(debianBinaries)
	if err != nil {
		return "", fmt.Errorf("looking for PostgreSQL: %w", err)
	}
	sort.Slice(candidates, func(i, j int) bool { return major(candidates[i]) > major(candidates[j]) })
	for _, dir := range candidates {
		if complete(dir) && (want == "" || strconv.Itoa(major(dir)) == want) {
			return dir, nil
		}
	}
	if path, err := exec.LookPath("postgres"); err == nil && complete(filepath.Dir(path)) {
		// Of another layout than Debian's; postgres itself refuses the data
		// folder of another version.
		return filepath.Dir(path), nil
	}
	if want != "" {
		return "", fmt.Errorf("the private database in %s was made by PostgreSQL %s, which is not installed: "+
			"install postgresql-%s, or upgrade the folder with pg_upgrade", dataDir, want, want)
	}
	return "", errors.New("PostgreSQL is not installed: apt install postgresql, or name a database with --database-url")
}

func major(binDir string) int {
	n, err := strconv.Atoi(filepath.Base(filepath.Dir(binDir)))
	if err != nil {
		return 0
	}
	return n
}

func complete(dir string) bool {
	for _, name := range []string{"postgres", "initdb"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode()&0o111 == 0 {
			return false
		}
	}
	return true
}
