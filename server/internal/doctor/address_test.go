package doctor

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"activity-tracker.example/server/api"
)

func TestAddress(t *testing.T) {
	for _, test := range []struct {
		name    string
		status  int
		code    api.Code
		err     error
		service bool
		result  api.CheckResult
		words   string
	}{
		{"ready", 200, "", nil, false, api.CheckOK, "ready on :1"},
		{"without a database", 503, api.CodeUnavailable, nil, false, api.CheckFailed, "without its database"},
		{"told to stop", 503, api.CodeStopping, nil, false, api.CheckWarning, "told to stop"},
		{"another program", 404, "", nil, false, api.CheckFailed, "something else answers"},
		{"nobody", 0, "", unix.ECONNREFUSED, false, api.CheckWarning, "trackerd-server serve"},
		{"nobody of the service", 0, "", unix.ECONNREFUSED, true, api.CheckWarning, "systemctl restart trackerd-server"},
		{"no answer", 0, "", errors.New("timeout"), false, api.CheckFailed, "ss -ltnp"},
	} {
		c := Address(":1", test.status, test.code, test.err, test.service)
		if c.Result != test.result || !strings.Contains(c.Detail+c.Advice, test.words) {
			t.Errorf("%s: %+v", test.name, c)
		}
	}
}
