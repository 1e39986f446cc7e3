package policy

import (
	"net/http"
	"net/http/httptrace"
	"strings"

	"activity-tracker.example/server/api"
)

// clockLayout is how the host's clock travels.
const clockLayout = "2006-01-02T15:04:05.000Z07:00"

// introduce returns a request that has also what administrators are shown of this host:
// the version of its agent, its clock, and what cannot be seen here, of nobody in
// particular. The clock is read when there is a connection, so that what making one takes
// is not taken for a clock that is behind.
func (p *Policy) introduce(req *http.Request) *http.Request {
	if p.o.Version == "" {
		return req
	}
	req.Header.Set("User-Agent", api.AgentProduct+p.o.Version)
	if p.o.Unseen != nil {
		if codes := p.o.Unseen(); codes != nil {
			req.Header.Set(api.UnseenHeader, listed(codes))
		}
	}
	header := req.Header // it is the copy's, too
	return req.WithContext(httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { header.Set(api.ClockHeader, p.o.Now().UTC().Format(clockLayout)) },
	}))
}

func listed(codes []api.Unseen) string {
	if len(codes) == 0 {
		return api.UnseenNothing
	}
	words := make([]string, len(codes))
	for i, code := range codes {
		words[i] = string(code)
	}
	return strings.Join(words, ",")
}
