package shots

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/api/policy"
	"activity-tracker.example/server/internal/plainjpeg"
	"activity-tracker.example/server/internal/problem"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/screenshots"
	"activity-tracker.example/server/internal/text"
)

// clockAhead is how far a host's clock may be ahead of the server's, as for events.
const clockAhead = 24 * time.Hour

// pictureType is the media type of pictures.
const pictureType = "image/jpeg"

// Take keeps a picture that a host sends.
func (a *API) Take(w http.ResponseWriter, r *http.Request) {
	id, added, err := a.take(w, r)
	if added {
		a.taken.Inc()
	}
	var refusal *problem.Error
	if errors.As(asProblem(err), &refusal) {
		a.refused.WithLabelValues(string(refusal.Code)).Inc()
	}
	status := http.StatusOK
	if added {
		status = http.StatusCreated
	}
	problem.Reply(w, r, status, api.ScreenshotAdded{ID: id.String()}, err, asProblem)
}

func (a *API) take(w http.ResponseWriter, r *http.Request) (id screenshots.ID, added bool, err error) {
	host, err := a.guard.Host(r)
	if err != nil {
		return id, false, err
	}
	endHost, ok := a.hosts.Take(r.Context(), host.Key)
	if !ok {
		return id, false, later(problem.New(api.CodeRateLimited, "This host sends too many pictures at once; send one after the other."))
	}
	defer endHost()
	endAll, ok := a.all.Take(r.Context(), struct{}{})
	if !ok {
		return id, false, later(problem.New(api.CodeUnavailable, "Too many pictures come at once."))
	}
	defer endAll()
	ask, err := a.question(r)
	if err == nil {
		err = a.allowed(r, host, ask.Kind)
	}
	if err != nil {
		return id, false, err
	}
	picture, err := read(w, r)
	if err != nil {
		return id, false, err
	}
	ask.Host, ask.Picture, ask.Width, ask.Height = host.Key, picture.Bytes, picture.Width, picture.Height
	return a.store.Add(r.Context(), ask)
}

func later(e *problem.Error) error {
	e.RetryAfter = turnWait
	return e
}

// question reads whose picture it is.
func (a *API) question(r *http.Request) (*screenshots.NewScreenshot, error) {
	q := r.URL.Query()
	n := &screenshots.NewScreenshot{MachineID: q.Get("machine_id"), Kind: policy.Kind(q.Get("kind"))}
	at, err := time.Parse("2006-01-02T15:04:05Z", q.Get("taken_at"))
	n.TakenAt = at
	switch {
	case n.MachineID == "" || len(n.MachineID) > api.MaxMachineIDBytes || !text.Visible(n.MachineID):
		return nil, problem.New(api.CodeBadMachineID, "machine_id is missing, too long or not printable.")
	case n.Kind != policy.Blurred && n.Kind != policy.Readable:
		return nil, problem.BadRequest("kind: want blurred or readable.")
	case err != nil || at.Year() < api.FirstYear || at.Sub(a.now()) > clockAhead:
		return nil, problem.New(api.CodeBadTimestamp, "taken_at: want a time since 2000 in UTC and whole seconds, such as 2026-11-23T10:00:00Z, at most 24 hours ahead of the server's clock.")
	}
	return n, nil
}

// allowed refuses a picture that policy in force on the host does not allow, whenever it
// was taken.
func (a *API) allowed(r *http.Request, host directory.Host, kind policy.Kind) error {
	holds, err := a.policies.ForHost(r.Context(), host.Key)
	if err != nil {
		return err
	}
	for _, v := range holds.At(a.now()) {
		s := v.Policy.Screenshots
		switch {
		case s == nil:
		case s.Allow != nil && !*s.Allow:
			return problem.New(api.CodeScreenshotsOff, "Policy allows no screenshots on this host.")
		case s.Kind == policy.Blurred && kind != policy.Blurred:
			return problem.New(api.CodeScreenshotsOff, "Policy allows only blurred screenshots on this host.")
		}
	}
	return nil
}

// read reads the body, which is bounded before it is read, and checks what it is.
func read(w http.ResponseWriter, r *http.Request) (plainjpeg.Picture, error) {
	var none plainjpeg.Picture
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != pictureType {
		return none, problem.New(api.CodeUnsupportedType, "Content-Type must be "+pictureType+".")
	}
	if encoding := strings.Join(r.Header.Values("Content-Encoding"), ","); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return none, problem.New(api.CodeUnsupported, "Content-Encoding must be identity: a JPEG gets no smaller.")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, api.MaxScreenshotBytes))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return none, problem.New(api.CodeTooLarge, "A picture has at most 512 KiB.")
	case err != nil:
		e := problem.BadRequest("The body could not be read.")
		e.Cause = err
		return none, e
	}
	picture, err := plainjpeg.Read(body)
	if err != nil {
		return none, problem.New(api.CodeBadPicture, "The body must be a baseline JPEG of at most 2,000,000 pixels: "+err.Error()+".")
	}
	return picture, nil
}
