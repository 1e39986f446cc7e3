package control

import (
	"context"
	"net/http"
	"time"
)

// webPath is where people ask for a link to their own page on the server.
const webPath = "/v1/web"

// WebLink answers POST /v1/web.
type WebLink struct {
	// URL opens the asker's own page to whoever has it, once.
	URL       string    `json:"url"`
	ExpiresAt time.Time `json:"expires_at"`
}

// Links gets people a link to their own page, each by their own uid. An error that is a
// RefusalError is shown as it is.
type Links interface {
	WebLink(ctx context.Context, uid uint32) (WebLink, error)
}

func (s *Server) web(w http.ResponseWriter, r *http.Request) {
	uid := peerOf(r)
	if uid == rootUID { // nothing of root is measured
		s.refuse(w, http.StatusForbidden, CodeForbidden, "root has no page of its own: people open theirs, each as themselves; what root may see of others is decided on the server")
		return
	}
	reply, err := s.provider.WebLink(r.Context(), uid)
	s.answer(w, reply, err)
}

// WebLink asks for a link to the asker's own page on the server.
func (c *Client) WebLink(ctx context.Context) (WebLink, error) {
	var l WebLink
	return l, c.do(ctx, http.MethodPost, webPath, nil, &l)
}
