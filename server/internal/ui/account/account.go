// Package account is the page of one's own login: the password, the second step, and where one
// is logged in.
package account

import (
	_ "embed" // for the page's template
	"html/template"
	"net/http"
	"strings"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/problem"
	"activity-tracker.example/server/internal/ui/frame"
)

//go:embed account.html
var html string

// view is what account.html shows.
type view struct {
	Login, Role string
	// SSO means that the provider has the password and the second step.
	SSO bool
	// On means that a second step is in force, and Confirms that one is being set up.
	On, Confirms bool
	// Device is what a device is to know, shown this once; Codes are recovery codes.
	Device *device
	Codes  []string
	Logins []login
	// Others is how many of them are not this one.
	Others int
}

// device is a secret to scan, to open or to type.
type device struct {
	Secret string
	URI    template.URL
	QR     *code
}

type login struct {
	ID, Agent, Address, Begun, Seen string
	Current                         bool
}

// Page returns the page.
func Page() frame.Page {
	return frame.Page{Name: "account", HTML: html, Hidden: true, Make: show, Act: act}
}

func show(v *frame.Visit) (any, error) {
	me, err := who(v)
	if err != nil {
		return nil, err
	}
	s := &view{Login: me.User.Login, Role: me.User.Role, SSO: me.User.SingleSignOn, On: me.User.SecondStep, Confirms: v.Form.Get("do") == "confirm"}
	switch shown := v.Shown.(type) {
	case api.SecondStep:
		if s.Device, err = deviceOf(shown); err != nil {
			return nil, err
		}
		s.Confirms = true
	case api.RecoveryCodes:
		s.Codes = shown.Codes
	}
	all, err := logins(v, me.User.ID)
	if err != nil {
		return nil, err
	}
	now := v.Now.In(v.Zone)
	for i := range all {
		one := &all[i]
		if !one.Current {
			s.Others++
		}
		s.Logins = append(s.Logins, login{
			one.ID, one.Agent, one.Address, v.Words.Moment(one.CreatedAt.In(v.Zone), now), v.Words.Moment(one.LastSeenAt.In(v.Zone), now), one.Current,
		})
	}
	return s, nil
}

// who returns the visitor as the API knows them.
func who(v *frame.Visit) (me api.Login, err error) {
	_, err = v.Do(frame.Call{Method: http.MethodGet, Path: frame.Path("login"), Into: &me})
	return me, err
}

func logins(v *frame.Visit, user string) ([]api.LoginSession, error) {
	var list api.LoginSessionList
	_, err := v.Do(frame.Call{Method: http.MethodGet, Path: frame.Path("users", user, "sessions"), Into: &list})
	return list.Sessions, err
}

// act changes the password or the second step, or ends logins.
func act(v *frame.Visit) (frame.Done, error) {
	form := v.Form
	switch form.Get("do") {
	case "password":
		if form.Get("new") != form.Get("again") {
			return frame.Done{}, problem.BadRequest("new_password: the two are not the same")
		}
		ask := api.PasswordChange{Password: form.Get("password"), NewPassword: form.Get("new")}
		_, err := v.Do(frame.Call{Method: http.MethodPut, Path: frame.Path("login", "password"), Body: ask})
		return frame.Done{To: frame.Said("login", "password")}, err
	case "begin":
		var made api.SecondStep
		_, err := v.Do(frame.Call{Method: http.MethodPost, Path: frame.Path("login", "second-step"), Body: proof(v), Into: &made})
		return frame.Done{Show: made}, err
	case "confirm":
		var codes api.RecoveryCodes
		ask := api.SecondStepCode{Code: spaceless(form.Get("code"))}
		_, err := v.Do(frame.Call{Method: http.MethodPut, Path: frame.Path("login", "second-step"), Body: ask, Into: &codes})
		return frame.Done{Show: codes}, err
	case "off":
		_, err := v.Do(frame.Call{Method: http.MethodDelete, Path: frame.Path("login", "second-step"), Body: proof(v)})
		return frame.Done{To: frame.Said("login", "second_step_off")}, err
	case "end", "others":
		return end(v)
	}
	return frame.Done{}, problem.BadRequest("")
}

// proof shows that it is the user who sits there, not somebody at their browser.
func proof(v *frame.Visit) api.SecondStepRequest {
	return api.SecondStepRequest{Password: v.Form.Get("password"), Code: spaceless(v.Form.Get("code"))}
}

// spaceless returns a code as devices show it in two halves.
func spaceless(code string) string { return strings.Join(strings.Fields(code), "") }

// end ends one login, or all others.
func end(v *frame.Visit) (frame.Done, error) {
	me, err := who(v)
	if err != nil {
		return frame.Done{}, err
	}
	ids := []string{v.Form.Get("id")}
	if v.Form.Get("do") == "others" {
		all, err := logins(v, me.User.ID)
		if err != nil {
			return frame.Done{}, err
		}
		ids = nil
		for i := range all {
			if !all[i].Current {
				ids = append(ids, all[i].ID)
			}
		}
	}
	for _, id := range ids {
		_, err := v.Do(frame.Call{Method: http.MethodDelete, Path: frame.Path("users", me.User.ID, "sessions", id)})
		if err != nil && (len(ids) == 1 || frame.Refusal(err).Code != api.CodeNotFound) { // one that has ended meanwhile is fine
			return frame.Done{}, err
		}
	}
	return frame.Done{To: frame.Said("account", "ended")}, nil
}
