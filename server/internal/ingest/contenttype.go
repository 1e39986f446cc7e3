package ingest

import (
	"mime"
	"net/http"
	"strings"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/problem"
)

// checkContentType refuses a body that is declared as something else than JSON in
// UTF-8. Programs that do not care declare nothing, text/plain or, like curl -d, a
// form: these are read as JSON too.
func checkContentType(h http.Header) error {
	for _, header := range h.Values("Content-Type") {
		if strings.TrimSpace(header) == "" {
			continue
		}
		kind, params, err := mime.ParseMediaType(header)
		if err != nil || !isJSON(kind) {
			return problem.New(api.CodeUnsupportedType,
				"The body must be JSON: send it as Content-Type: application/json.")
		}
		if charset, given := params["charset"]; given && !strings.EqualFold(charset, "utf-8") {
			return problem.New(api.CodeUnsupportedType,
				"The body must be in UTF-8: send it as Content-Type: application/json.")
		}
	}
	return nil
}

// isJSON reports whether a body of that media type is read as JSON.
func isJSON(kind string) bool {
	switch kind {
	case "application/json", "text/plain", "text/json", "application/x-www-form-urlencoded":
		return true
	}
	return strings.HasPrefix(kind, "application/") && strings.HasSuffix(kind, "+json")
}
