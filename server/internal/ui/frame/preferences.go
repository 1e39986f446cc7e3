package frame

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/auth"
	"activity-tracker.example/server/internal/problem"
)

// ownForm reads a form that a page of ours has sent.
func ownForm(w http.ResponseWriter, r *http.Request, limit int64) error {
	if err := http.NewCrossOriginProtection().Check(r); err != nil {
		return problem.New(api.CodeForbidden, "")
	}
	if r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" {
		return problem.New(api.CodeUnsupportedType, "")
	}
	r.Body = http.MaxBytesReader(w, r.Body, limit)
	var large *http.MaxBytesError
	switch err := r.ParseForm(); {
	case errors.As(err, &large):
		return problem.New(api.CodeTooLarge, "")
	case err != nil:
		return problem.BadRequest("")
	}
	return nil
}

// See has the browser ask for a page of ours; relative, so that it holds whatever a proxy has
// before the path.
func See(w http.ResponseWriter, to string) {
	w.Header().Set("Location", "./"+to)
	w.WriteHeader(http.StatusSeeOther)
}

// prefer keeps what a visitor prefers in their browser.
func (f *Frame) prefer(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", "POST")
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	if err := ownForm(w, r, MaxForm); err != nil {
		f.Refuse(f.visit(r, auth.Principal{}), w, err)
		return
	}
	for _, name := range []string{"lang", "theme", "tz"} {
		value := r.PostForm.Get(name)
		if value == "" || len(value) > 64 || strings.Trim(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/") != "" {
			continue
		}
		http.SetCookie(w, &http.Cookie{ //nolint:gosec // no secret: also kept by who tries the server without TLS
			Name: "activity-tracker-" + name, Value: value, MaxAge: int(chosenFor / time.Second), HttpOnly: true, SameSite: http.SameSiteLaxMode,
		})
	}
	See(w, Local(r.PostForm.Get("to")))
}

// Local returns a path below ours that a browser may be sent to; empty for anything else.
func Local(to string) string {
	u, err := url.Parse(to)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || strings.HasPrefix(u.Path, "/") || strings.ContainsAny(to, "\\:\r\n\t") || strings.Contains(u.Path, "..") {
		return ""
	}
	return to
}
