package localpg

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// systemAccount runs PostgreSQL where the server itself is root, which
// PostgreSQL refuses to be. The Debian package of the binaries makes it; the
// administrator of any other cluster of this machine acts as it as well.
const systemAccount = "postgres"

// account is the unprivileged user that PostgreSQL runs as.
type account struct {
	name     string
	uid, gid int
	// change is true where it is not the user that we are.
	change bool
}

func findAccount() (account, error) {
	name := systemAccount
	change := os.Geteuid() == 0
	if !change {
		u, err := user.LookupId(strconv.Itoa(os.Geteuid()))
		if err != nil {
			return account{}, fmt.Errorf("looking up the user that we are: %w", err)
		}
		name = u.Username
	}
	u, err := user.Lookup(name)
	var unknown user.UnknownUserError
	if errors.As(err, &unknown) {
		return account{}, fmt.Errorf("PostgreSQL does not run as root and there is no user %s: "+
			"start trackerd-server as another user, or name a database with --database-url", name)
	}
	if err != nil {
		return account{}, fmt.Errorf("looking up the user %s: %w", name, err)
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return account{}, fmt.Errorf("user id of %s: %w", name, err)
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return account{}, fmt.Errorf("group id of %s: %w", name, err)
	}
	return account{name: name, uid: uid, gid: gid, change: change}, nil
}

// process returns the attributes of a process of that account, in a session of
// its own: a Ctrl-C for the server must not stop the database under it.
func (a account) process() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setsid: true}
	if a.change {
		attr.Credential = &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid), Groups: []uint32{uint32(a.gid)}}
	}
	return attr
}

// trusts refuses, for root, a state folder that another user can write to: root
// would follow the links that he puts there and hand over what they lead to, and
// his own PostgreSQL would be given to another account.
func (a account) trusts(stateDir string) error {
	if !a.change {
		return nil
	}
	info, err := os.Stat(stateDir)
	if err != nil {
		return fmt.Errorf("reading the state folder: %w", err)
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && stat.Uid != 0 {
		id := strconv.Itoa(int(stat.Uid))
		name := "#" + id
		if u, err := user.LookupId(id); err == nil {
			name = u.Username
		}
		return fmt.Errorf("the state folder %s belongs to %s, and root leaves it alone: "+
			"run this as that user (runuser -u %s -- trackerd-server …), or choose another --state-dir", stateDir, name, name)
	}
	if info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("others can write to the state folder %s: chmod go-w %s, if you know what is in it", stateDir, stateDir)
	}
	return nil
}

// share makes a folder that the account can enter but not write to: root's own
// files lie there, which a link put in their place must not lead astray.
func (a account) share(dir string) error {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return fmt.Errorf("making %s: %w", dir, err)
	}
	return a.lend(dir, 0o750)
}

// lend lets the account read a file or folder of ours.
func (a account) lend(path string, mode os.FileMode) error {
	if a.change {
		if err := os.Chown(path, 0, a.gid); err != nil {
			return fmt.Errorf("letting %s read %s: %w", a.name, path, err)
		}
	}
	if err := os.Chmod(path, mode); err != nil {
		return fmt.Errorf("letting %s read %s: %w", a.name, path, err)
	}
	return nil
}

// own makes a folder that only the account can look into.
func (a account) own(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("making %s: %w", dir, err)
	}
	//nolint:gosec // 0700 is a folder's 0600.
	if err := os.Chmod(dir, 0o700); err != nil {
		return fmt.Errorf("closing %s to others: %w", dir, err)
	}
	if a.change {
		if err := os.Chown(dir, a.uid, a.gid); err != nil {
			return fmt.Errorf("giving %s to %s: %w", dir, a.name, err)
		}
	}
	return nil
}

// letPass makes sure that the account can get through the state folder to its
// own below it. The state folder is ours, so its group is set; folders above it
// are not, so a closed one is only reported.
func (a account) letPass(stateDir string) error {
	if !a.change {
		return nil
	}
	if ok, err := a.canEnter(stateDir); err != nil {
		return err
	} else if !ok {
		info, err := os.Stat(stateDir)
		if err != nil {
			return fmt.Errorf("reading the state folder: %w", err)
		}
		if err := os.Chown(stateDir, -1, a.gid); err != nil {
			return fmt.Errorf("letting %s into %s: %w", a.name, stateDir, err)
		}
		if err := os.Chmod(stateDir, info.Mode().Perm()|0o010); err != nil {
			return fmt.Errorf("letting %s into %s: %w", a.name, stateDir, err)
		}
	}
	for dir := filepath.Dir(stateDir); ; dir = filepath.Dir(dir) {
		ok, err := a.canEnter(dir)
		if err != nil {
			return err
		}
		if !ok {
			return fmt.Errorf("the private PostgreSQL runs as the user %s, who can't enter %s: "+
				"choose another --state-dir, or chmod o+x %s", a.name, dir, dir)
		}
		if dir == filepath.Dir(dir) {
			return nil
		}
	}
}

func (a account) canEnter(dir string) (bool, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return false, fmt.Errorf("looking at %s: %w", dir, err)
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return true, nil
	}
	mode := info.Mode().Perm()
	switch {
	case int(stat.Uid) == a.uid:
		return mode&0o100 != 0, nil
	case int(stat.Gid) == a.gid:
		return mode&0o010 != 0, nil
	default:
		return mode&0o001 != 0, nil
	}
}
