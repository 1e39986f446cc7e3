package people

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/problem"
	"activity-tracker.example/server/internal/ui/frame"
)

// certificates are those of who was erased: all of them, or one.
type certificates struct {
	All []certificate
	One *certificate
}

type certificate struct {
	ID, Accounts     int64
	Unreadable, Gone string
	Backups          string
	Records, Sums    string
	Pictures, Notes  string
	Names, Titles    string
	PoliciesLeft     int
	Receipts         string
}

// erase erases somebody whose name was typed.
func erase(v *frame.Visit, path string) (frame.Done, error) {
	p, err := readPerson(v, v.Form.Get("person"))
	if err != nil {
		return frame.Done{}, err
	}
	// A name may have what nobody can type: the id is as good.
	if typed := strings.TrimSpace(v.Form.Get("name")); typed != shown(v, p).Name && typed != p.ID {
		return frame.Done{}, problem.BadRequest("name: want the name, or the id, as it stands above")
	}
	var c api.Erasure
	_, err = v.Do(frame.Call{Method: http.MethodDelete, Path: path, Into: &c})
	return frame.Done{To: frame.Said("people?"+url.Values{"erasure": {strconv.FormatInt(c.ID, 10)}}.Encode(), "erased")}, err
}

func showCertificates(v *frame.Visit, id string) (*certificates, error) {
	s := &certificates{}
	if id != "all" {
		var c api.Erasure
		_, err := v.Do(frame.Call{Method: http.MethodGet, Path: frame.Path("erasures", id), Into: &c})
		s.One = new(certificateOf(v, &c))
		return s, err
	}
	var all api.ErasureList
	_, err := v.Do(frame.Call{Method: http.MethodGet, Path: frame.Path("erasures"), Query: url.Values{"limit": {erasuresShown}}, Into: &all})
	for i := range all.Erasures {
		s.All = append(s.All, certificateOf(v, &all.Erasures[i]))
	}
	return s, err
}

func certificateOf(v *frame.Visit, e *api.Erasure) certificate {
	number := func(n int64) string { return v.Words.Number(int(n)) }
	d := e.Deleted
	c := certificate{
		ID: e.ID, Accounts: e.Accounts, Unreadable: v.Words.Moment(e.UnreadableSince.In(v.Zone), v.Now.In(v.Zone)),
		Records: number(d.Records + d.Hours), Sums: number(d.Sums + d.Days), Pictures: number(d.Screenshots), Notes: number(d.Notes),
		Titles: number(d.Titles), Names: number(d.Names), Receipts: number(d.Receipts), PoliciesLeft: int(e.PoliciesLeft),
	}
	if e.GoneSince != nil {
		c.Gone = v.Words.Moment(e.GoneSince.In(v.Zone), v.Now.In(v.Zone))
	}
	if e.BackupsUntil != nil {
		c.Backups = v.Words.Date(e.BackupsUntil.In(v.Zone))
	}
	return c
}
