// Package openapi is the API's description: the document, a page to read made of it,
// and the query parameters that routes take by it.
package openapi

import (
	_ "embed"
	"net/http"
)

// document describes every route; a test compares it with them.
//
//go:embed openapi.json
var document []byte

// Document returns the description, in JSON.
func Document() []byte { return document }

// Serve answers with the description.
func Serve(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	// An error here means that the caller has gone.
	_, _ = w.Write(document)
}
