package policyapi

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/heartbeat"
)

// maxUnseenHeader bounds what is read of a list of codes.
const maxUnseenHeader = api.MaxUnseen * (api.MaxUnseenBytes + 2)

// reportOf reads what a host reports of itself, as of its request's arrival. It refuses
// nothing: what is no version, time or code is as if it were not there, since a host needs
// its policy whatever else it sends.
func reportOf(h http.Header, arrived time.Time) heartbeat.Report {
	r := heartbeat.Report{Version: agentVersion(h.Get("User-Agent"))}
	if r.Version == "" {
		return r
	}
	if at, err := time.Parse(time.RFC3339, h.Get(api.ClockHeader)); err == nil {
		// Not their difference as a Duration, which ends at 292 years.
		offset := at.Unix() - arrived.Unix()
		if rest := at.Nanosecond() - arrived.Nanosecond(); rest >= int(time.Second/2) {
			offset++
		} else if rest < -int(time.Second/2) {
			offset--
		}
		r.ClockOffset = &offset
	}
	r.Unseen = unseen(h.Get(api.UnseenHeader))
	return r
}

// agentVersion returns the version that an agent has by its User-Agent; empty: none.
func agentVersion(userAgent string) string {
	version, ours := strings.CutPrefix(userAgent, api.AgentProduct)
	if !ours || len(version) > api.MaxAgentVersionBytes || strings.ContainsFunc(version, notOfVersion) {
		return ""
	}
	return version
}

// notOfVersion reports whether a version of a package has no such character.
func notOfVersion(c rune) bool {
	return (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && !strings.ContainsRune(".+~:-", c)
}

// unseen reads a list of codes, known or not: each once, in order, at most as many as there
// may be; nil where there is no list.
func unseen(header string) []string {
	if header == "" || len(header) > maxUnseenHeader {
		return nil
	}
	list := []string{}
	for code := range strings.SplitSeq(header, ",") {
		code = strings.TrimSpace(code)
		if code != api.UnseenNothing && api.ValidUnseen(api.Unseen(code)) {
			list = append(list, code)
		}
	}
	slices.Sort(list)
	list = slices.Compact(list)
	return list[:min(len(list), api.MaxUnseen)]
}
