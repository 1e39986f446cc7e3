package request

import (
	"net/http"
	"strconv"
	"strings"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/problem"
)

// ETag returns a version as callers know it.
func ETag(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }

// IfMatch returns the versions that a change may be of; nil means any. The header must be
// there, or two administrators could overwrite each other unawares; missing says what to
// send.
func IfMatch(r *http.Request, missing string) ([]int64, error) {
	header := strings.TrimSpace(strings.Join(r.Header.Values("If-Match"), ","))
	switch header {
	case "":
		return nil, problem.New(api.CodeVersionMissing, missing)
	case "*":
		return nil, nil
	}
	versions := []int64{}
	for _, tag := range strings.Split(header, ",") {
		// A tag that is none of ours is of no version that there is.
		text := strings.TrimSpace(tag)
		if v, err := strconv.ParseInt(strings.Trim(text, `"`), 10, 64); err == nil && text == ETag(v) {
			versions = append(versions, v)
		}
	}
	return versions, nil
}

// IfMatchAny returns the versions that a change may be of, where it names them; nil means any.
func IfMatchAny(r *http.Request) []string {
	header := strings.TrimSpace(strings.Join(r.Header.Values("If-Match"), ","))
	if header == "" || header == "*" {
		return nil
	}
	versions := []string{}
	for _, tag := range strings.Split(header, ",") {
		versions = append(versions, strings.Trim(strings.TrimSpace(tag), `"`))
	}
	return versions
}
