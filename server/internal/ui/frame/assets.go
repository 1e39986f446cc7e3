package frame

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
)

//go:embed static
var static embed.FS

// asset is a file that pages load: parts of ours, one after the other.
type asset struct {
	kind string
	body []byte
	tag  string
	// forget has the browser forget the pages that it keeps for going back to.
	forget bool
}

// assets are the files below /static/. A block of its own keeps what a part of the script
// declares.
func assets() (map[string]asset, error) {
	made := map[string]asset{}
	for _, a := range []struct{ name, kind, parts, before, after string }{
		{"dashboard.css", "text/css; charset=utf-8", "static/css/*.css", "", ""},
		{"dashboard.js", "text/javascript; charset=utf-8", "static/js/*.js", "{\n", "}\n"},
		{"icon.svg", "image/svg+xml", "static/icon.svg", "", ""},
	} {
		parts, err := fs.Glob(static, a.parts)
		if err != nil {
			return nil, fmt.Errorf("listing the parts of %s: %w", a.name, err)
		}
		var b bytes.Buffer
		if a.before != "" {
			b.WriteString("\"use strict\";\n")
		}
		for _, part := range parts {
			text, err := static.ReadFile(part)
			if err != nil {
				return nil, fmt.Errorf("reading a part of %s: %w", a.name, err)
			}
			b.WriteString(a.before)
			b.Write(text)
			b.WriteString(a.after)
		}
		sum := sha256.Sum256(b.Bytes())
		made[a.name] = asset{kind: a.kind, body: b.Bytes(), tag: `"` + hex.EncodeToString(sum[:8]) + `"`}
	}
	made[forgetName] = asset{kind: "text/css; charset=utf-8", forget: true}
	return made, nil
}

// forgetName is an empty style sheet. The page that somebody comes to by logging out loads it:
// only then the page before is among those that the browser keeps as they were, no-store
// or not.
const forgetName = "forget.css"

// ServeHTTP sends the file, or that the browser has it.
func (a asset) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	if a.forget {
		h.Set("Content-Type", a.kind)
		h.Set("Cache-Control", "no-store")
		h.Set("Clear-Site-Data", `"cache"`)
		return
	}
	h.Set("Cache-Control", "no-cache") // which means to ask whether it is the same
	h.Set("ETag", a.tag)
	if r.Header.Get("If-None-Match") == a.tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", a.kind)
	if r.Method != http.MethodHead {
		_, _ = w.Write(a.body) // an error means that the caller has gone
	}
}
