package person

import (
	"net/http"
	"strings"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/report"
	"activity-tracker.example/server/internal/shots"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/ui/frame"
)

// picture is one of a screen. Gone is when and by whom it was deleted; empty: it is there.
type picture struct {
	ID, When, Account, Kind, Gone, Link string
	Deletable                           bool
}

// pictures lists the pictures of the day, where they are asked for: whoever lists them has
// looked at them, and that is written down.
func (p Parts) pictures(v *frame.Visit, s subject, day report.Day, page *view) error {
	page.ShowPictures = v.Query.Get("pictures") != ""
	page.PicturesLink = "?date=" + day.Date + "&pictures=yes#pictures"
	if !page.ShowPictures {
		return nil
	}
	var list api.ScreenshotList
	if _, err := v.Do(frame.Call{Method: http.MethodGet, Path: s.path("screenshots"), Query: within(day), Into: &list}); err != nil {
		return err
	}
	for i := range list.Screenshots {
		one := &list.Screenshots[i]
		shown := picture{ID: one.ID, When: v.At(one.TakenAt), Account: one.MachineID, Kind: v.Words.Or("picture."+one.Kind, one.Kind), Link: "../api/screenshots/" + one.ID}
		shown.Deletable = v.Caller.Role == directory.RoleAdmin
		if s.own {
			shown.Link = "api/me/screenshots/" + one.ID
			shown.Deletable = v.Now.Sub(one.ReceivedAt) <= shots.OwnWithin
		}
		if one.DeletedAt != nil {
			shown.Gone = v.Words.Moment(one.DeletedAt.In(v.Zone), v.Now.In(v.Zone))
			if one.DeletedBy != nil {
				kind, _, _ := strings.Cut(*one.DeletedBy, " ")
				shown.Gone += ", " + v.Words.Or("reader."+kind, kind)
			}
		}
		page.Pictures = append(page.Pictures, shown)
	}
	return nil
}
