package doctor

import (
	"errors"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/quantity"
	"activity-tracker.example/server/internal/store/inspect"
)

func TestReplica(t *testing.T) {
	for _, test := range []struct {
		name   string
		e      inspect.ReplicaExamination
		result api.CheckResult
		words  string
	}{
		{"keeps up", inspect.ReplicaExamination{Standby: true, Same: true, CaughtUp: true, Behind: 20 * time.Millisecond}, api.CheckOK, "less than 1s behind"},
		{"behind", inspect.ReplicaExamination{Standby: true, Same: true, Behind: 90 * time.Second, BehindBytes: 3 * quantity.MiB}, api.CheckWarning, "3.0 MiB of the log behind; what it replayed last is 1m 30s old"},
		{"away", inspect.ReplicaExamination{Away: errors.New("connection refused")}, api.CheckWarning, "refused"},
		{"promoted", inspect.ReplicaExamination{Same: true}, api.CheckFailed, "no standby"},
		{"another's", inspect.ReplicaExamination{Standby: true}, api.CheckFailed, "another database"},
	} {
		c := Replica(test.e, 30*time.Second)
		if c.Result != test.result || !strings.Contains(c.Detail, test.words) || (c.Advice == "") != (c.Result == api.CheckOK) {
			t.Errorf("%s: %+v", test.name, c)
		}
	}
}
