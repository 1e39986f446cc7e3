package httpapi

import (
	"errors"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/problem"
)

// A caller whose workbook does not end, since it reads slowly, keeps nobody else from
// theirs.
func TestWorkbooksOfOneCaller(t *testing.T) {
	b := newWorkbooks(time.Millisecond)
	take := func(caller string) (func(), api.Code) {
		end, err := b.take(t.Context(), caller)
		var refusal *problem.Error
		if errors.As(err, &refusal) {
			return end, refusal.Code
		}
		return end, ""
	}
	end, code := take("slow")
	if code != "" {
		t.Fatal(code)
	}
	if _, code := take("slow"); code != api.CodeRateLimited {
		t.Errorf("the same caller again: %q", code)
	}
	endOther, code := take("other")
	if code != "" {
		t.Fatalf("another caller: %q", code)
	}
	if _, code := take("third"); code != api.CodeUnavailable {
		t.Errorf("more than there may be: %q", code)
	}
	end()
	endOther()
	for _, caller := range []string{"slow", "third"} {
		if _, code := take(caller); code != "" {
			t.Errorf("%s, once all have ended: %q", caller, code)
		}
	}
}
