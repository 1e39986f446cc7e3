package control

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

// rejectedPath is where rejected records are listed.
const rejectedPath = "/v1/rejected"

// MaxRejected is how many rejected records one reply lists at most.
const MaxRejected = 1000

// Rejected is a record that the server rejected for good.
type Rejected struct {
	// ID names it for as long as it is kept.
	ID uint64    `json:"id"`
	At time.Time `json:"at"`
	// Code and Message are the server's.
	Code    string `json:"code"`
	Message string `json:"message,omitempty"`
	// MachineID, User and Timestamp are the record's, as far as it has them.
	MachineID string     `json:"machine_id,omitempty"`
	User      string     `json:"user,omitempty"`
	Timestamp *time.Time `json:"timestamp,omitempty"`
	// Event is the record as it was sent; absent where the reply would be too long.
	Event json.RawMessage `json:"event,omitempty"`
}

// Postponed are records that the server may take later. One of them is tried again at
// NextTry; once it is taken, the others follow.
type Postponed struct {
	Code string `json:"code"`
	// MachineID is whose they are; empty where they are several people's.
	MachineID string    `json:"machine_id,omitempty"`
	Events    int64     `json:"events"`
	NextTry   time.Time `json:"next_try"`
	// Problem is why, and what to do.
	Problem string `json:"problem,omitempty"`
}

// RejectedList answers GET /v1/rejected.
type RejectedList struct {
	// Rejected are the newest, newest first.
	Rejected []Rejected  `json:"rejected"`
	Later    []Postponed `json:"later"`
}

// Selection chooses rejected records: by their IDs, or all with a code, or all. A
// code chooses among the postponed ones too.
type Selection struct {
	IDs  []uint64 `json:"ids,omitempty"`
	Code string   `json:"code,omitempty"`
	All  bool     `json:"all,omitempty"`
}

// Handled answers what was done with a Selection: of how many records that were
// rejected for good, and of how many postponed ones.
type Handled struct {
	Rejected  int64 `json:"rejected"`
	Postponed int64 `json:"postponed"`
}

// Rejections is the part of a Provider that knows of rejected records.
type Rejections interface {
	// Rejected lists the newest; with a user, of that uid's person alone.
	Rejected(ctx context.Context, limit int, user *uint32) (RejectedList, error)
	// Retry sends records again, and Drop forgets them.
	Retry(ctx context.Context, s Selection) (Handled, error)
	Drop(ctx context.Context, s Selection) (Handled, error)
}

func (s *Server) rejected(w http.ResponseWriter, r *http.Request) {
	limit := MaxRejected
	if text := r.URL.Query().Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > MaxRejected {
			s.refuse(w, http.StatusBadRequest, CodeBadRequest, "limit is no number from 1 to "+strconv.Itoa(MaxRejected))
			return
		}
		limit = n
	}
	var user *uint32
	if uid := peerOf(r); !privileged(uid) {
		user = &uid
	}
	list, err := s.provider.Rejected(r.Context(), limit, user)
	if err != nil {
		s.refuse(w, http.StatusConflict, CodeFailed, err.Error())
		return
	}
	s.reply(w, list)
}

// handle has root choose rejected records and do something with them.
func (s *Server) handle(do func(context.Context, Selection) (Handled, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !privileged(peerOf(r)) {
			s.refuse(w, http.StatusForbidden, CodeForbidden, "only root may send rejected records again or drop them; use sudo")
			return
		}
		var sel Selection
		err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBodyBytes)).Decode(&sel)
		if ways := btoi(len(sel.IDs) > 0) + btoi(sel.Code != "") + btoi(sel.All); err != nil || ways != 1 {
			s.refuse(w, http.StatusBadRequest, CodeBadRequest, "the request chooses no records: want ids, a code or all")
			return
		}
		handled, err := do(r.Context(), sel)
		if err != nil {
			s.refuse(w, http.StatusConflict, CodeFailed, err.Error())
			return
		}
		s.reply(w, handled)
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Rejected asks which records the server rejected.
func (c *Client) Rejected(ctx context.Context, limit int) (RejectedList, error) {
	var list RejectedList
	return list, c.do(ctx, http.MethodGet, rejectedPath+"?limit="+strconv.Itoa(limit), nil, &list)
}

// Retry has rejected records sent again. Only root may.
func (c *Client) Retry(ctx context.Context, s Selection) (Handled, error) {
	var h Handled
	return h, c.do(ctx, http.MethodPost, rejectedPath+"/retry", s, &h)
}

// Drop has rejected records forgotten. Only root may.
func (c *Client) Drop(ctx context.Context, s Selection) (Handled, error) {
	var h Handled
	return h, c.do(ctx, http.MethodPost, rejectedPath+"/drop", s, &h)
}
