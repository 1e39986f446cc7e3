package policyapi

import (
	"fmt"
	"net/http"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/api/policy"
	"activity-tracker.example/server/internal/looked"
	"activity-tracker.example/server/internal/problem"
	"activity-tracker.example/server/internal/request"
)

// Preview answers what a policy would do to the titles of the last week, and writes nothing
// but who looked.
func (a *API) Preview(w http.ResponseWriter, r *http.Request) {
	preview, err := a.preview(w, r)
	reply(w, r, http.StatusOK, preview, err)
}

func (a *API) preview(w http.ResponseWriter, r *http.Request) (preview api.TitlePreview, err error) {
	ask, err := request.Read[api.PolicyPreviewDraft](w, r, request.Body{
		Limit: maxDraftBytes, Strict: true, Example: `{"policy": {"titles": false}}`,
		TooLarge: problem.New(api.CodePolicyTooLarge, fmt.Sprintf("policy: it has at most %d bytes", policy.MaxDocumentBytes)),
	})
	if err != nil {
		return preview, err
	}
	if ask.Policy == nil {
		return preview, problem.BadRequest("policy is missing; {} is one that narrows nothing.")
	}
	document, err := policy.Parse(ask.Policy)
	if err != nil {
		return preview, err
	}
	ctx, look := looked.Begin(r.Context(), a.access, looked.At{What: api.LookedPreview})
	if preview, err = a.previews.Titles(ctx, document); err != nil {
		return preview, err
	}
	return preview, look.Keep(ctx)
}
