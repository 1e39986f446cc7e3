package web

import (
	_ "embed"
	"net/http"
)

// openAPIDocument describes every route; a test compares it with them.
//
//go:embed openapi.json
var openAPIDocument []byte

func (s *server) openAPI(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	// An error here means that the caller has gone.
	_, _ = w.Write(openAPIDocument)
}
