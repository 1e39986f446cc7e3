package repository

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path"
	"regexp"
	"syscall"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/problem"
)

// keyFile is the public key that the repository is signed with.
const keyFile = "activity-tracker.gpg"

// How long a copy on the way may be used: a package and what is named by its hash
// never change, all else may at any time.
const (
	forLong  = "public, max-age=86400, immutable"
	askAgain = "no-cache"
)

// The names of packages, and of lists by their hashes.
var (
	packageName = regexp.MustCompile(`^[a-z0-9][a-z0-9+.-]*_[A-Za-z0-9.+~-]+_[a-z0-9]+\.deb$`)
	hashName    = regexp.MustCompile(`^by-hash/SHA256/[0-9a-f]{64}$`)
)

const (
	// slowest is the slowest that a caller may take a file, in bytes a second: a
	// package of 8 MB takes 8 minutes so.
	slowest = 16 << 10
	// sendTimeout is what every file gets beside that.
	sendTimeout = 60 * time.Second
)

var errNotRegular = errors.New("not a regular file")

// Serve answers with a file of the folder.
func (r *Repository) Serve(w http.ResponseWriter, req *http.Request, name string) {
	contentType, cache := kindOf(name)
	if r.dir == "" || contentType == "" {
		problem.Write(w, req, problem.NotFound("There is no such package."))
		return
	}
	end, ok := r.take(req)
	if !ok {
		e := problem.New(api.CodeUnavailable, "Too many packages are being sent; try again later.")
		e.RetryAfter = downloadRetry
		problem.Write(w, req, e)
		return
	}
	defer end()
	f, info, err := r.open(name)
	if err != nil {
		refuse(w, req, err)
		return
	}
	defer func() { _ = f.Close() }()
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Cache-Control", cache)
	wantExactTime(req, info.ModTime())
	giveTime(w, info.Size())
	http.ServeContent(&ranged{ResponseWriter: w, request: req}, req, "", info.ModTime(), f)
}

// kindOf returns what a file that a repository has is sent as; nothing for others in
// the folder, as an editor's backup, which are nobody's business.
func kindOf(name string) (contentType, cache string) {
	switch name {
	case "InRelease", "Release", "Packages", "fingerprint":
		return "text/plain; charset=utf-8", askAgain
	case "Packages.gz":
		return "application/gzip", askAgain
	case "Release.gpg":
		return "application/pgp-signature", askAgain
	case keyFile:
		return "application/pgp-keys", askAgain
	}
	switch {
	case packageName.MatchString(name):
		return "application/vnd.debian.binary-package", forLong
	case hashName.MatchString(name):
		return "application/octet-stream", forLong
	}
	return "", ""
}

// open opens a regular file in the folder. No link leads out of it, and nothing
// else, as a named pipe, is waited for.
func (r *Repository) open(name string) (*os.File, fs.FileInfo, error) {
	root, err := os.OpenRoot(r.dir)
	if err != nil {
		return nil, nil, fmt.Errorf("opening the packages' folder: %w", err)
	}
	defer func() { _ = root.Close() }()
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("opening a package: %w", err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s: %w", path.Base(name), errNotRegular)
	}
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return f, info, nil
}

// refuse answers for a file that could not be opened: what must not be served is
// as good as not there.
func refuse(w http.ResponseWriter, req *http.Request, err error) {
	e := problem.NotFound("There is no such package.")
	e.Cause = err
	problem.Write(w, req, e)
}

// wantExactTime has a copy of any other time than the file's pass for outdated: a
// folder that was copied may have an older time than what it replaces.
func wantExactTime(req *http.Request, changed time.Time) {
	const header = "If-Modified-Since"
	since, err := http.ParseTime(req.Header.Get(header))
	if err == nil && !since.Equal(changed.Truncate(time.Second)) {
		req.Header.Del(header)
	}
}

// giveTime allows for the file's length where the server's limit is for short
// replies.
func giveTime(w http.ResponseWriter, size int64) {
	end := time.Now().Add(sendTimeout + time.Duration(size/slowest)*time.Second)
	control := http.NewResponseController(w)
	// Where there is no such limit nothing has to be allowed for.
	_, _ = control.SetWriteDeadline(end), control.SetReadDeadline(end)
}

// ranged answers as all routes do for a range that the file doesn't have.
type ranged struct {
	http.ResponseWriter
	request *http.Request
	refused bool
}

// WriteHeader passes on every status but that.
func (r *ranged) WriteHeader(status int) {
	if status != http.StatusRequestedRangeNotSatisfiable {
		r.ResponseWriter.WriteHeader(status)
		return
	}
	r.refused = true
	e := problem.BadRequest("The file has no such range; Content-Range says how long it is.")
	e.Status = status
	problem.Write(r.ResponseWriter, r.request, e)
}

// Write passes on all but net/http's own words for it.
func (r *ranged) Write(b []byte) (int, error) {
	if r.refused {
		return len(b), nil
	}
	return r.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (r *ranged) Unwrap() http.ResponseWriter { return r.ResponseWriter }
