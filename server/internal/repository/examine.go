package repository

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// ErrPrivateKey reports that the folder holds what makes packages trusted: whoever
// reads it can install anything on every host.
var ErrPrivateKey = errors.New("it holds a private key, which must never be on a server")

// State is what hosts find, as the doctor sees it.
type State struct {
	// Dir is the folder; empty: there is none.
	Dir string
	// Fingerprint is that of the key; Err why there is none.
	Fingerprint string
	Err         error
	// Packages is how many there are.
	Packages int
	// Writable reports that whoever asks may change them, other than as root.
	Writable bool
	// Script is where hosts find it; empty: nowhere, whatever is in the folder.
	Script string
}

// Empty reports that nobody has put anything into the folder.
func (s State) Empty() bool { return errors.Is(s.Err, fs.ErrNotExist) && s.Packages == 0 }

// Examine looks at the folder.
func (r *Repository) Examine() State {
	s := State{Dir: r.dir}
	if r.base.secure() {
		s.Script = r.base.String() + "/install.sh"
	}
	if s.Dir == "" {
		return s
	}
	s.Fingerprint, s.Err = r.fingerprint()
	packages, _ := filepath.Glob(filepath.Join(r.dir, "*.deb")) // the pattern is well-formed
	s.Packages = len(packages)
	s.Writable = os.Geteuid() != 0 && unix.Access(r.dir, unix.W_OK) == nil
	return s
}
