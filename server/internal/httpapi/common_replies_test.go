package httpapi_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"activity-tracker.example/server/internal/secret"
	"activity-tracker.example/server/internal/servertest"
	"activity-tracker.example/server/internal/store/users"
)

// Everything that every operation has in common follows from its description:
// who is let in, and what is answered where the database is away or an address
// failed too often.
func TestCommonReplies(t *testing.T) {
	d, err := servertest.ReadDescription()
	if err != nil {
		t.Fatal(err)
	}
	b := servertest.New(t, servertest.NewDatabase(t))
	away := servertest.NewAway(t)
	callers := map[string]string{
		"viewer": b.Token("viewer"), "admin": b.Token("admin"), "host": b.Host("h"), "nobody": "",
	}
	b.Group("other")
	callers["limited viewer"] = b.Limited("other")
	logins := map[string][]string{}
	for _, role := range users.Roles() {
		b.User(string(role), role)
		logins[string(role)] = b.Login(string(role))
	}
	b.Send(callers["host"], servertest.Minute("vm-abc123-user1", 0), servertest.Minute("vm-self", 0))
	login := func(role string) []string {
		if role == self {
			return b.OpenSelf(callers["host"], "vm-self")
		}
		return b.Login(role)
	}
	logins[self] = login(self)
	for _, o := range d.Operations {
		t.Run(o.ID, func(t *testing.T) {
			_, open := o.Schemes[""]
			for caller, bearer := range callers {
				want := expected(o, caller)
				if (open || len(o.Schemes) == 0) && caller != "nobody" {
					continue
				}
				r := b.Do(o.Method, o.Target, bearer, o.Body)
				// Many callers here fail: 429 is as good as 401.
				if r.Status == http.StatusTooManyRequests {
					r.Status = http.StatusUnauthorized
				}
				if want == 0 && (r.Status == http.StatusUnauthorized || r.Status == http.StatusForbidden) && !open ||
					want != 0 && r.Status != want {
					t.Errorf("%s: %d, want %d: %s", caller, r.Status, want, r.Body)
				}
			}
			for role, cookie := range logins {
				if r := b.Do(o.Method, o.Target, "", nil, cookie...); len(o.Roles) > 0 && (r.Status == http.StatusForbidden) == slices.Contains(o.Roles, role) {
					t.Errorf("somebody with the role %s: %d, may: %v", role, r.Status, o.Roles)
				}
				if ended := endsLogins(o); ended && slices.Contains(o.Roles, role) {
					logins[role] = login(role)
				}
			}
			// Packages don't come from the database; TestTooManyDownloads has theirs. Who comes
			// back from no login is refused first.
			if _, ok := o.Replies["503"]; ok && !strings.HasPrefix(o.Path, "/packages/") && o.ID != "endSingleSignOn" {
				away.Do(o.Method, o.Target, bearerFor(o), o.Body).Wants(http.StatusServiceUnavailable, nil)
			}
			if o.Method == http.MethodGet && len(o.Schemes) == 0 {
				if r := b.Do(http.MethodHead, o.Target, "", nil); r.Status != http.StatusOK {
					t.Errorf("HEAD: %d", r.Status)
				}
			}
		})
	}
	// By now this address has failed often.
	for range 30 {
		b.Do(http.MethodGet, "/api/machines", "", nil)
	}
	for _, o := range d.Operations {
		if _, ok := o.Replies["429"]; ok {
			b.Do(o.Method, o.Target, "", o.Body).Wants(http.StatusTooManyRequests, nil)
		}
	}
}

// endsLogins reports whether an operation ends the login that it is asked by.
func endsLogins(o servertest.Operation) bool { return o.ID == "logout" }

// bearerFor makes a credential of the kind that an operation wants.
func bearerFor(o servertest.Operation) string {
	if _, hosts := o.Schemes["hostCredential"]; hosts {
		return secret.New(secret.KindHost).Reveal()
	}
	return secret.New(secret.KindToken).Reveal()
}

// expected is the refusal of a caller; 0 where it is let in.
func expected(o servertest.Operation, caller string) int {
	_, tokens := o.Schemes["apiToken"]
	_, admins := o.Schemes["adminToken"]
	_, hosts := o.Schemes["hostCredential"]
	_, logins := o.Schemes["loginCookie"]
	_, open := o.Schemes[""]
	switch {
	case logins && !tokens && !admins && caller != "nobody":
		return http.StatusForbidden
	case open, len(o.Schemes) == 0:
		return 0
	case caller == "nobody":
		return http.StatusUnauthorized
	case caller == "host" && !hosts, caller != "host" && !tokens && !admins,
		strings.HasSuffix(caller, "viewer") && admins:
		return http.StatusForbidden
	}
	return 0
}
