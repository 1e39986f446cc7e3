package doctor

import (
	"fmt"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/quantity"
	"activity-tracker.example/server/internal/store/screenshots"
)

// Pictures checks the folder of pictures of screens, for a server that runs as that user,
// on a file system of which so much is to stay free.
func Pictures(s *screenshots.FolderState, user int, leastFree int64) api.Check {
	const name = "pictures"
	switch {
	case !s.Used:
		return ok(name, "none yet; they would be in %s", s.Path)
	case s.Err != nil:
		return failed(name, s.Err.Error(), "mount or restore it, or where the pictures are lost make it again: install -d -m 700 -o USER "+s.Path)
	case s.Mode&openToOthers != 0:
		return failed(name, fmt.Sprintf("%s can be entered by others (mode %o)", s.Path, s.Mode), "chmod 700 "+s.Path)
	case s.Owner != user:
		return failed(name, fmt.Sprintf("%s is of the user %d, this is %d", s.Path, s.Owner, user), "chown it, with all that is in it, to the server's user; or run this as that user")
	case !s.Writable:
		return failed(name, s.Path+" can't be written to", "see that it is not mounted read-only")
	case s.Free < leastFree:
		return warning(name, fmt.Sprintf("%s free beside them, less than %s: no more are taken", quantity.SizeText(s.Free), quantity.SizeText(leastFree)),
			"make room, or keep less: --keep-screenshots-days, --screenshots-max-bytes")
	}
	return ok(name, "%s, closed to others, %s free", s.Path, quantity.SizeText(s.Free))
}
