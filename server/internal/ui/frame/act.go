package frame

import (
	"net/http"
	"net/url"
	"time"

	"activity-tracker.example/server/api"
)

// Done is what follows a form that was done.
type Done struct {
	// To is the page to go on with, from the first one; its query may have what Said makes.
	To string
	// Show is shown once on the page itself instead: a secret is in no address.
	Show any
}

// doneKey is what was done in a page's query, and the beginning of its sentence.
const doneKey = "done"

// Said adds to a page's address which sentence of the catalogue, below "done.", stands above it.
func Said(to, sentence string) string {
	u, err := url.Parse(to)
	if err != nil {
		return to
	}
	q := u.Query()
	q.Set(doneKey, sentence)
	u.RawQuery = q.Encode()
	return u.String()
}

// doneFor is for how long a browser keeps what it has just done, until it shows so.
const doneFor = time.Minute

// keepDone has the browser keep what its form has done, so that a link which somebody made up
// shows nothing as done.
func keepDone(w http.ResponseWriter, to string) {
	u, err := url.Parse(to)
	if err != nil || u.Query().Get(doneKey) == "" {
		return
	}
	//nolint:gosec // no secret: also kept by who tries the server without TLS
	http.SetCookie(w, &http.Cookie{
		Name: doneCookie, Value: url.QueryEscape(u.Query().Get(doneKey)), Path: "/", MaxAge: int(doneFor / time.Second), HttpOnly: true, SameSite: http.SameSiteStrictMode,
	})
}

// doneCookie is where a browser keeps it.
const doneCookie = "activity-tracker-" + doneKey

// Done is what stands above a page after a form was done: in the browser that has done it, and
// there once.
func (v *Visit) Done(w http.ResponseWriter) Message {
	sentence := v.Query.Get(doneKey)
	key := doneKey + "." + sentence
	if sentence == "" || !v.Words.Has(key) || cookie(v.request, doneKey) != url.QueryEscape(sentence) {
		return Message{}
	}
	//nolint:gosec // no secret: it is taken away
	http.SetCookie(w, &http.Cookie{Name: doneCookie, Path: "/", MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteStrictMode})
	return Message{Text: v.Words.T(key), Done: true}
}

// act does what a form asks for. What was refused stands above the same page, which has what
// was typed in Form.
func (f *Frame) act(v *Visit, w http.ResponseWriter, p Page) {
	// The turn comes before the form is read: a form may be large, and who sends many slowly
	// holds no more of them than they may have pages under way.
	end, err := f.turn(v)
	if err != nil {
		f.Refuse(v, w, err)
		return
	}
	defer end()
	limit := p.FormBytes
	if limit == 0 {
		limit = MaxForm
	}
	r := v.request
	if err := ownForm(w, r, limit); err != nil {
		f.Refuse(v, w, err)
		return
	}
	v.Form = r.PostForm
	done, err := p.Act(v)
	if err == nil && done.Show == nil {
		keepDone(w, done.To)
		See(w, v.root()+done.To)
		return
	}
	status, message := http.StatusOK, Message{}
	if err == nil {
		v.Form = nil // it was done
	} else {
		e := f.refused(v, w, err)
		status, message = e.Status, Worded(v.Words, e)
		if e.Code == api.CodeBadRequest {
			message.Text = v.Words.T("failed.form")
		}
	}
	v.Shown = done.Show
	data, err := f.made(v, p)
	if err != nil {
		f.Refuse(v, w, err)
		return
	}
	f.Show(v, w, p.Name, status, data, message)
}
