package httpapi

import "net/http"

func (s *server) installScript(w http.ResponseWriter, r *http.Request) { s.Repository.Script(w, r) }

func (s *server) packageFile(w http.ResponseWriter, r *http.Request) {
	s.Repository.Serve(w, r, pathValue(r, "file"))
}

// packageByHash answers with a list as it was when the caller read which one to
// take, also while a new one is being put in its place.
func (s *server) packageByHash(w http.ResponseWriter, r *http.Request) {
	s.Repository.Serve(w, r, "by-hash/SHA256/"+pathValue(r, "digest"))
}
