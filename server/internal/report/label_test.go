package report

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"activity-tracker.example/server/api"
)

// Whatever a PATCH holds, a label that is taken can be stored and shown.
func FuzzPatch(f *testing.F) {
	for _, body := range []string{
		`{"user_label": "Reception"}`, `{"user_label": ""}`, `{}`, `{"user_label": null}`, `{"user_label": "\u0000"}`,
		`{"user_label": "\ud800"}`, "{\"user_label\": \"\xff\"}", `{"user_label": " \u00a0x\u2028"}`, `{"USER_LABEL": "x", "other": [1]}`,
		`{"user_label": "` + strings.Repeat("ä", api.MaxLabelBytes/2+1) + `"}`, `[]`, `1`, `{"user_label": {}}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var patch api.MachinePatch
		if json.Unmarshal(body, &patch) != nil {
			return
		}
		label, err := parseLabel("user_label", patch.UserLabel)
		if err != nil {
			var invalid InvalidError
			if !errors.As(err, &invalid) || label != "" {
				t.Errorf("%q, %v", label, err)
			}
			return
		}
		control := strings.ContainsFunc(label, unicode.IsControl)
		if len(label) > api.MaxLabelBytes || !utf8.ValidString(label) || control || label != strings.TrimSpace(label) {
			t.Errorf("%q is taken", label)
		}
		if again, err := parseLabel("user_label", &label); err != nil || again != label {
			t.Errorf("%q became %q, %v", label, again, err)
		}
	})
}
