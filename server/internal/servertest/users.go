package servertest

import (
	"context"
	"net/http"
	"strings"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/auth"
	"activity-tracker.example/server/internal/password"
	"activity-tracker.example/server/internal/secret"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/users"
)

// Password is that of every user of a test.
const Password = "correct horse battery"

// User makes a user with that password who sees these groups alone; none are given:
// all machines.
func (b *Bench) User(login string, role directory.Role, groups ...string) users.User {
	b.T.Helper()
	inv := secret.New(secret.KindInvitation)
	access := users.Access{Role: role, Limited: len(groups) > 0, Groups: groups}
	_, err := b.Store.Users.Invite(b.T.Context(), login, access, users.Invitation{ID: inv.ID, Hash: inv.Hash(), ExpiresAt: time.Now().Add(time.Hour)})
	if err != nil {
		b.T.Fatal(err)
	}
	hash, err := password.NewHasher(CheapPassword()).Hash(context.WithoutCancel(b.T.Context()), Password)
	if err != nil {
		b.T.Fatal(err)
	}
	u, err := b.Store.Users.Accept(b.T.Context(), inv.ID, inv.Matches, hash)
	if err != nil {
		b.T.Fatal(err)
	}
	return u
}

// Login logs a user in and returns the header that the browser sends from then on, by
// name and value, as Do takes it.
func (b *Bench) Login(login string, headers ...string) []string {
	b.T.Helper()
	r := b.Do(http.MethodPost, "/api/login", "", api.LoginRequest{Login: login, Password: Password}, headers...)
	r.Wants(http.StatusOK, nil)
	return r.Cookie()
}

// Cookie returns the header by which a browser sends the login that a reply set.
func (r Reply) Cookie() []string {
	r.T.Helper()
	value, _, _ := strings.Cut(r.Header.Get("Set-Cookie"), ";")
	if !strings.HasPrefix(value, auth.Cookie+"=") {
		r.T.Fatalf("%s: the cookie %q", r.What, r.Header.Get("Set-Cookie"))
	}
	return []string{"Cookie", value}
}

// Credential returns how an administrator calls an operation: by the token, or by the
// login where a token is not enough.
func (o Operation) Credential(token string, login []string) (bearer string, headers []string) {
	_, byToken := o.Schemes["apiToken"]
	_, byAdmin := o.Schemes["adminToken"]
	if _, byLogin := o.Schemes["loginCookie"]; byLogin && !byToken && !byAdmin {
		return "", login
	}
	return token, nil
}
