package ui

import (
	"fmt"
	"net/http"

	"activity-tracker.example/server/internal/live"
	"activity-tracker.example/server/internal/ui/about"
	"activity-tracker.example/server/internal/ui/account"
	"activity-tracker.example/server/internal/ui/apps"
	"activity-tracker.example/server/internal/ui/categories"
	"activity-tracker.example/server/internal/ui/compare"
	"activity-tracker.example/server/internal/ui/day"
	"activity-tracker.example/server/internal/ui/frame"
	"activity-tracker.example/server/internal/ui/groups"
	"activity-tracker.example/server/internal/ui/hosts"
	"activity-tracker.example/server/internal/ui/hours"
	"activity-tracker.example/server/internal/ui/login"
	"activity-tracker.example/server/internal/ui/now"
	"activity-tracker.example/server/internal/ui/oversight"
	"activity-tracker.example/server/internal/ui/people"
	"activity-tracker.example/server/internal/ui/person"
	"activity-tracker.example/server/internal/ui/policies"
	"activity-tracker.example/server/internal/ui/rhythm"
	"activity-tracker.example/server/internal/ui/tokens"
	"activity-tracker.example/server/internal/ui/users"
)

// Join joins all pages, with another handler for all other paths, or returns what is wrong
// with their templates.
func (p *Pages) Join(board *live.Board, entrance *login.Options) (func(next http.Handler) http.Handler, error) {
	pages := []frame.Page{now.Page(board, p.Reports), day.Page(day.Parts{People: p.People, Reports: p.Reports, Policies: p.Policies}), hours.Page(hours.Parts{People: p.People, Reports: p.Reports, Policies: p.Policies}), rhythm.Page(p.People, p.Reports), apps.Page(apps.Parts{Reports: p.Reports}), compare.Page(p.People, p.Reports)}
	pages = append(pages, person.Pages(person.Parts{Reports: p.Reports, People: p.People, Looked: p.Looked, Access: p.Access, Self: p.Self, Notes: p.Notes})...)
	pages = append(pages, about.Page(p.About))
	pages = append(pages, people.Page())
	pages = append(pages, groups.Pages()...)
	pages = append(pages, hosts.Pages(p.BaseURL)...)
	pages = append(pages, users.Pages(p.BaseURL)...)
	pages = append(pages, tokens.Page())
	pages = append(pages, policies.Page(), categories.Page())
	pages = append(pages, oversight.Pages()...)
	pages = append(pages, account.Page())
	framed, err := frame.New(frame.Options{Guard: p.Guard, Access: p.Access, Now: p.Now, Pages: pages, Opens: login.Pages(entrance)})
	if err != nil {
		return nil, fmt.Errorf("making the pages: %w", err)
	}
	if err := p.read(); err != nil {
		return nil, err
	}
	entrance.Show = framed.Show
	return func(next http.Handler) http.Handler { return framed.Before(p.before(next)) }, nil
}
