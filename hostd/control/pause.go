package control

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"
)

// pausePath and resumePath are where people pause being measured.
const (
	pausePath  = "/v1/pause"
	resumePath = "/v1/resume"
)

// PauseRequest is the body of POST /v1/pause.
type PauseRequest struct {
	// Seconds is for how long from now on.
	Seconds int64 `json:"seconds"`
}

// Pause is one that is on: it answers POST /v1/pause, and stands in a Status.
type Pause struct {
	MachineID string    `json:"machine_id"`
	UID       uint32    `json:"uid"`
	Until     time.Time `json:"until"`
}

// Resumed answers POST /v1/resume.
type Resumed struct {
	// Paused is whether there was a pause to end.
	Paused bool `json:"paused"`
}

// Pauses has people pause being measured, each by their own uid. An error that is a
// RefusalError is shown as it is.
type Pauses interface {
	Pause(ctx context.Context, uid uint32, length time.Duration) (Pause, error)
	Resume(ctx context.Context, uid uint32) (Resumed, error)
}

// maxPauseSeconds keeps a length within what a time.Duration holds; what a pause may
// last is decided elsewhere.
const maxPauseSeconds = 1 << 32

func (s *Server) pause(w http.ResponseWriter, r *http.Request) {
	if s.isRoot(w, r) {
		return
	}
	var req PauseRequest
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBodyBytes)).Decode(&req); err != nil || req.Seconds < -maxPauseSeconds || req.Seconds > maxPauseSeconds {
		s.refuse(w, http.StatusBadRequest, CodeBadRequest, "the request is no pause")
		return
	}
	reply, err := s.provider.Pause(r.Context(), peerOf(r), time.Duration(req.Seconds)*time.Second)
	s.answer(w, reply, err)
}

func (s *Server) resume(w http.ResponseWriter, r *http.Request) {
	if s.isRoot(w, r) {
		return
	}
	reply, err := s.provider.Resume(r.Context(), peerOf(r))
	s.answer(w, reply, err)
}

// isRoot refuses root, whoever it means: a pause says that the person wanted it.
func (s *Server) isRoot(w http.ResponseWriter, r *http.Request) bool {
	if peerOf(r) != rootUID {
		return false
	}
	s.refuse(w, http.StatusForbidden, CodeForbidden, "root cannot pause for others: whoever is measured pauses for themselves; exclude_users has people not measured at all")
	return true
}

// answer writes a reply, or why there is none.
func (s *Server) answer(w http.ResponseWriter, reply any, err error) {
	var refusal *RefusalError
	switch {
	case err == nil:
		s.reply(w, reply)
	case errors.As(err, &refusal) && refusal.Code == CodeForbidden:
		s.refuse(w, http.StatusForbidden, refusal.Code, refusal.Message)
	case errors.As(err, &refusal):
		s.refuse(w, http.StatusBadRequest, refusal.Code, refusal.Message)
	default:
		s.refuse(w, http.StatusConflict, CodeFailed, err.Error())
	}
}

// Pause asks trackerd to measure nothing of the asker for so long.
func (c *Client) Pause(ctx context.Context, length time.Duration) (Pause, error) {
	var p Pause
	return p, c.do(ctx, http.MethodPost, pausePath, PauseRequest{Seconds: int64(length / time.Second)}, &p)
}

// Resume ends the asker's pause.
func (c *Client) Resume(ctx context.Context) (Resumed, error) {
	var r Resumed
	return r, c.do(ctx, http.MethodPost, resumePath, nil, &r)
}
