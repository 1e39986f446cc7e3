package control

import (
	"context"
	"encoding/json"
	"net/http"
	"time"
)

// noticePath is where people read the notice and confirm that they have.
const noticePath = "/v1/notice"

// Notice answers GET and POST /v1/notice.
type Notice struct {
	// Version is the hash of Text.
	Version string `json:"version"`
	Text    string `json:"text"`
	// ReadAt is when the asker's account confirmed this version; null: it has not.
	ReadAt *time.Time `json:"read_at"`
}

// NoticeRead is which notice holds, and when the asker's account confirmed it.
type NoticeRead struct {
	Version string     `json:"version"`
	ReadAt  *time.Time `json:"read_at"`
}

// Confirmation is the body of POST /v1/notice.
type Confirmation struct {
	// Version is of the notice that was read.
	Version string `json:"version"`
}

// Notices shows people the notice, and takes that they have read it, each by their own
// uid. An error that is a RefusalError is shown as it is.
type Notices interface {
	Notice(ctx context.Context, uid uint32) (Notice, error)
	Confirm(ctx context.Context, uid uint32, version string) (Notice, error)
}

func (s *Server) notice(w http.ResponseWriter, r *http.Request) {
	reply, err := s.provider.Notice(r.Context(), peerOf(r))
	s.answer(w, reply, err)
}

// noticeRead returns what the notice is to somebody. What is not known of them, such as
// their name, leaves it unread.
func (s *Server) noticeRead(ctx context.Context, uid uint32) *NoticeRead {
	n, _ := s.provider.Notice(ctx, uid)
	if n.Version == "" {
		return nil
	}
	return &NoticeRead{Version: n.Version, ReadAt: n.ReadAt}
}

func (s *Server) confirm(w http.ResponseWriter, r *http.Request) {
	uid := peerOf(r)
	if uid == rootUID { // a receipt says that the person read it
		s.refuse(w, http.StatusForbidden, CodeForbidden, "root cannot confirm for others: whoever is measured confirms that they have read the notice")
		return
	}
	var c Confirmation
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBodyBytes)).Decode(&c); err != nil || c.Version == "" {
		s.refuse(w, http.StatusBadRequest, CodeBadRequest, "the request is no confirmation")
		return
	}
	reply, err := s.provider.Confirm(r.Context(), uid, c.Version)
	s.answer(w, reply, err)
}

// Notice asks for the notice that holds.
func (c *Client) Notice(ctx context.Context) (Notice, error) {
	var n Notice
	return n, c.do(ctx, http.MethodGet, noticePath, nil, &n)
}

// Confirm notes with trackerd that the asker has read a version of the notice.
func (c *Client) Confirm(ctx context.Context, version string) (Notice, error) {
	var n Notice
	return n, c.do(ctx, http.MethodPost, noticePath, Confirmation{Version: version}, &n)
}
