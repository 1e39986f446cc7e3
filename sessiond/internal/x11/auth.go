package x11

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// maxAuthorityBytes bounds the authority file that is read: an entry has some
// 50 bytes, and a user has a few.
const maxAuthorityBytes = 64 << 10

// cookieName is the one authentication that X servers use in practice.
const cookieName = "MIT-MAGIC-COOKIE-1"

// Families of address in an authority file.
const (
	familyLocal = 256   // the address is the host's name
	familyWild  = 65535 // any address
)

// cookie is what a client shows to be let in; the zero cookie shows nothing,
// which suffices for a user whom the server lets in by user id.
type cookie struct{ name, data string }

// Authority is where the user's cookies may be.
type Authority struct {
	// Files are authority files, as in XAUTHORITY or ~/.Xauthority; the first
	// that has a cookie of the display counts. One that cannot be read is none,
	// nor is one that is no regular file.
	Files []string
	// Hostname picks among entries of several hosts.
	Hostname string
}

// UsersAuthority returns where the cookies of the user who runs this may be.
func UsersAuthority() Authority {
	var a Authority
	a.Hostname, _ = os.Hostname() // unknown: any host's entry will do
	if file := os.Getenv("XAUTHORITY"); file != "" {
		a.Files = []string{file}
	} else {
		a.Files = usualFiles(os.Getenv("HOME"), os.Getenv("USER"), os.Getuid())
	}
	return a
}

// usualFiles lists where display managers and startx keep a user's cookies.
func usualFiles(home, user string, uid int) []string {
	files := []string{filepath.Join("/run/user", strconv.Itoa(uid), "gdm/Xauthority")}
	if user != "" && user == filepath.Base(user) {
		files = append(files, filepath.Join("/run/lightdm", user, "xauthority"))
	}
	if home != "" {
		files = append(files, filepath.Join(home, ".Xauthority"))
	}
	return files
}

// cookie is the display's, or none.
func (a Authority) cookie(display int) cookie {
	for _, file := range a.Files {
		if found := a.cookieIn(file, display); found != (cookie{}) {
			return found
		}
	}
	return cookie{}
}

func (a Authority) cookieIn(file string, display int) cookie {
	// The user may have put anything there: a FIFO would hold its reader.
	f, err := os.OpenFile(file, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return cookie{}
	}
	defer func() { _ = f.Close() }() // only read
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return cookie{}
	}
	b := make([]byte, maxAuthorityBytes)
	n, err := io.ReadFull(f, b)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return cookie{}
	}
	found := findCookie(b[:n], strconv.Itoa(display), a.Hostname)
	clear(b)
	return found
}

// findCookie looks for a display's cookie. An entry of this host goes before a
// wildcard, and that before one of another name (hosts get renamed).
func findCookie(b []byte, number, hostname string) cookie {
	var found cookie
	best := 0
	for len(b) >= 2 {
		family := binary.BigEndian.Uint16(b)
		b = b[2:]
		var fields [4]string // address, display number, name, data
		for i := range fields {
			var ok bool
			if fields[i], b, ok = counted(b); !ok {
				return found
			}
		}
		if fields[2] != cookieName || fields[1] != "" && fields[1] != number {
			continue
		}
		rank := 0
		switch {
		case family == familyLocal && fields[0] == hostname:
			rank = 3
		case family == familyWild:
			rank = 2
		case family == familyLocal:
			rank = 1
		}
		if rank > best {
			best, found = rank, cookie{fields[2], fields[3]}
		}
	}
	return found
}

func counted(b []byte) (field string, rest []byte, ok bool) {
	if len(b) < 2 {
		return "", nil, false
	}
	n := int(binary.BigEndian.Uint16(b))
	if len(b) < 2+n {
		return "", nil, false
	}
	return string(b[2 : 2+n]), b[2+n:], true
}
