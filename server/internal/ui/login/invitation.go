package login

import (
	"net/http"
	"strings"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/problem"
	"activity-tracker.example/server/internal/ui/frame"
)

// invitationView is what invitation.html shows: the invitation, where a form brought one.
type invitationView struct{ Invitation string }

// setup shows how the first administrator is made. It makes none: whoever comes first to a
// server is not yet whoever runs it.
func (o *Options) setup(v *frame.Visit, w http.ResponseWriter, r *http.Request) {
	if !o.Passwords || o.Users.Begun(r) {
		frame.See(w, "login")
		return
	}
	o.Show(v, w, "setup", http.StatusOK, nil, frame.Message{})
}

// invitation takes an invitation and the password for it, and logs in with that. The link has
// the invitation behind #, which no browser sends: a script moves it into the form.
func (o *Options) invitation(v *frame.Visit, w http.ResponseWriter, r *http.Request) {
	s := &invitationView{Invitation: r.PostForm.Get("invitation")}
	refuse := func(err error) {
		e := noted(w, r, err)
		o.Show(v, w, "invitation", e.Status, s, frame.Worded(v.Words, e))
	}
	ask := api.InvitationAcceptance{Invitation: s.Invitation, Password: r.PostForm.Get("password")}
	if _, code, whole := strings.Cut(ask.Invitation, "#"); whole { // all of the link
		ask.Invitation = code
	}
	switch {
	case !o.Passwords:
		refuse(problem.New(api.CodeOnlySSO, ""))
		return
	case r.Method != http.MethodPost:
		o.Show(v, w, "invitation", http.StatusOK, s, frame.Message{})
		return
	case ask.Password != r.PostForm.Get("again"):
		o.Show(v, w, "invitation", http.StatusBadRequest, s, frame.Message{Text: v.Words.T("invitation.differ")})
		return
	}
	var user api.User
	if _, err := v.Do(frame.Call{Method: http.MethodPost, Path: frame.Path("invitation"), Body: ask, Into: &user}); err != nil {
		refuse(err)
		return
	}
	o.enter(v, w, r, o.view(""), api.LoginRequest{Login: user.Login, Password: ask.Password})
}
