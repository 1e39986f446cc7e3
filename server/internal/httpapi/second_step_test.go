package httpapi_test

import (
	"encoding/base32"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/servertest"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/totp"
)

// phone is a device that knows the secret of a second step.
type phone struct {
	*servertest.Bench
	secret []byte
}

// code is what it shows at the moment.
func (p phone) code() string {
	return totp.Code(p.secret, totp.Step(time.Now().Add(time.Duration(p.Clock.Ahead.Load()))))
}

// next waits for another code, by the server's clock.
func (p phone) next() { p.Clock.Ahead.Add(int64(90 * time.Second)) }

const secondStep = "/api/login/second-step"

// setUp has a device learn a secret that is being set up.
func setUp(b *servertest.Bench, cookie []string, ask api.SecondStepRequest) phone {
	b.T.Helper()
	var told api.SecondStep
	b.Do(http.MethodPost, secondStep, "", ask, cookie...).Wants(200, &told)
	secret, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(told.Secret)
	if err != nil || !strings.Contains(told.URI, "secret="+told.Secret) || !strings.HasPrefix(told.URI, "otpauth://totp/Activity%20Tracker:anna?") {
		b.T.Fatalf("%+v %v", told, err)
	}
	return phone{b, secret}
}

// With a second step a password alone is not enough, each code works once, and what was
// logged in without it ends.
func TestSecondStep(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	anna := b.User("anna", directory.RoleViewer)
	one, two := b.Login("anna"), b.Login("anna")
	b.Do(http.MethodPut, secondStep, "", api.SecondStepCode{Code: "123456"}, one...).Refused(409, api.CodeNoneBegun)
	b.Do(http.MethodPost, secondStep, "", api.SecondStepRequest{Password: "wrong"}, one...).Refused(401, api.CodeBadLogin)
	p := setUp(b, one, api.SecondStepRequest{Password: servertest.Password})
	b.Login("anna") // it is not in force yet
	b.Do(http.MethodPut, secondStep, "", api.SecondStepCode{Code: "12345"}, one...).Refused(401, api.CodeBadCode)
	var recovery api.RecoveryCodes
	b.Do(http.MethodPut, secondStep, "", api.SecondStepCode{Code: p.code()}, one...).Wants(200, &recovery)
	if len(recovery.Codes) != totp.RecoveryCodes || ended(b, one) || !ended(b, two) {
		t.Errorf("%+v", recovery)
	}
	login := func(code string) servertest.Reply {
		t.Helper()
		return b.Do(http.MethodPost, "/api/login", "", api.LoginRequest{Login: "anna", Password: servertest.Password, Code: code})
	}
	r := login("")
	r.Refused(401, api.CodeSecondStep)
	if r.Header.Get("Set-Cookie") != "" {
		t.Error("half a login is one")
	}
	// With a wrong password nothing shows that there is a second step.
	b.Do(http.MethodPost, "/api/login", "", api.LoginRequest{Login: "anna", Password: "wrong", Code: p.code()}).Refused(401, api.CodeBadLogin)
	login(p.code()).Refused(401, api.CodeBadCode) // it confirmed
	p.next()
	code := p.code()
	login(code).Wants(200, nil)
	login(code).Refused(401, api.CodeBadCode)
	login(recovery.Codes[0]).Wants(200, nil)
	login(recovery.Codes[0]).Refused(401, api.CodeBadCode)
	login(strings.ToUpper(strings.ReplaceAll(recovery.Codes[1], "-", ""))).Wants(200, nil)
	login(strings.Repeat("1", 1000)).Refused(401, api.CodeBadCode)

	p.next()
	var in atomic.Int32
	var all sync.WaitGroup
	code = p.code()
	for range 4 {
		all.Go(func() {
			r, err := b.Try(http.MethodPost, "/api/login", "", api.LoginRequest{Login: "anna", Password: servertest.Password, Code: code})
			if err != nil {
				t.Error(err)
			}
			if r.Status == http.StatusOK {
				in.Add(1)
			}
		})
	}
	all.Wait()
	if in.Load() != 1 {
		t.Errorf("%d of several at once got in by one code", in.Load())
	}
	var u api.User
	admin := b.Token(directory.RoleAdmin)
	b.Do(http.MethodGet, "/api/users/"+anna.ID, admin, nil).Wants(200, &u)
	if !u.SecondStep {
		t.Errorf("%+v", u)
	}
	replaceSecondStep(b, p, one)
	b.Do(http.MethodDelete, "/api/users/"+anna.ID+"/second-step", admin, nil).Wants(204, nil)
	if !ended(b, one) {
		t.Error("a login lasts")
	}
	b.Login("anna")
}

// Whoever knows the password and has the device ends their own second step, and is logged in
// nowhere then; one of the two is not enough.
func TestSecondStepEnds(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	b.User("anna", directory.RoleViewer)
	one := b.Login("anna")
	end := func(password, code string) servertest.Reply {
		t.Helper()
		return b.Do(http.MethodDelete, secondStep, "", api.SecondStepRequest{Password: password, Code: code}, one...)
	}
	end("wrong", "").Refused(401, api.CodeBadLogin)
	end(servertest.Password, "").Wants(204, nil) // there is none
	p := setUp(b, one, api.SecondStepRequest{Password: servertest.Password})
	code := p.code()
	b.Do(http.MethodPut, secondStep, "", api.SecondStepCode{Code: code}, one...).Wants(200, nil)
	end(servertest.Password, "").Refused(401, api.CodeSecondStep)
	end(servertest.Password, code).Refused(401, api.CodeBadCode) // it confirmed
	p.next()
	end("wrong", p.code()).Refused(401, api.CodeBadLogin)
	end(servertest.Password, p.code()).Wants(204, nil)
	if !ended(b, one) {
		t.Error("the login lasts")
	}
	b.Login("anna")
	changes := b.Do(http.MethodGet, "/api/audit?limit=10", b.Token(directory.RoleAdmin), nil)
	if !strings.Contains(string(changes.Body), `"user.second_step_removed"`) {
		t.Errorf("nobody wrote it down: %s", changes.Body)
	}
}

// replaceSecondStep has another device take the place of the first one, for which one of
// its codes is needed.
func replaceSecondStep(b *servertest.Bench, p phone, cookie []string) {
	b.T.Helper()
	b.Do(http.MethodPost, secondStep, "", api.SecondStepRequest{Password: servertest.Password}, cookie...).Refused(401, api.CodeSecondStep)
	p.next()
	other := setUp(b, cookie, api.SecondStepRequest{Password: servertest.Password, Code: p.code()})
	p.next()
	b.Do(http.MethodPut, secondStep, "", api.SecondStepCode{Code: p.code()}, cookie...).Refused(401, api.CodeBadCode)
	b.Do(http.MethodPut, secondStep, "", api.SecondStepCode{Code: other.code()}, cookie...).Wants(200, nil)
	p.next()
	b.Do(http.MethodPost, "/api/login", "", api.LoginRequest{Login: "anna", Password: servertest.Password, Code: p.code()}).Refused(401, api.CodeBadCode)
	b.Do(http.MethodPost, "/api/login", "", api.LoginRequest{Login: "anna", Password: servertest.Password, Code: other.code()}).Wants(200, nil)
}
