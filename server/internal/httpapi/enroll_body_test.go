package httpapi_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/servertest"
)

// zipped is a body as gzip, followed by what is not.
func zipped(t *testing.T, text []byte, more ...byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return append(b.Bytes(), more...)
}

// What a second header has counts as well.
func TestTwoEncodings(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	host := b.Host("h")
	for path, text := range map[string]string{
		"/api/enroll": fmt.Sprintf(`{"enrollment_token":%q,"host_id":"x"}`, b.Enrollment(1, time.Hour, "")),
		"/api/events": `{"events":[]}`,
	} {
		for _, second := range []string{"br", "gzip", "identity"} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.URL+path, bytes.NewReader(zipped(t, []byte(text))))
			if err != nil {
				t.Fatal(err)
			}
			req.Header = http.Header{"Content-Encoding": {"gzip", second}, "Authorization": {"Bearer " + host}}
			res, err := b.HTTP.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
			if res.StatusCode != http.StatusUnsupportedMediaType {
				t.Errorf("%s as gzip and %s: %d", path, second, res.StatusCode)
			}
		}
	}
}

// A host may send its enrolment compressed, as its events; what it inflates to is
// bounded, since anybody may send one.
func TestEnrolmentBodies(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	ask := func(host string) []byte {
		t.Helper()
		text, err := json.Marshal(api.EnrollRequest{EnrollmentToken: b.Enrollment(1, time.Hour, ""), HostID: host, Hostname: "name"})
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	for host, encoding := range map[string]string{"a": "gzip", "b": "x-gzip", "c": "GZIP"} {
		var reply api.EnrollReply
		b.Do(http.MethodPost, "/api/enroll", "", zipped(t, ask(host)), "Content-Encoding", encoding).Wants(201, &reply)
		b.Send(reply.Credential, servertest.Minute("m-"+host, 0))
	}
	b.Do(http.MethodPost, "/api/enroll", "", ask("d"), "Content-Encoding", "identity").Wants(201, nil)

	padded := func(n int) []byte { return append(bytes.Repeat([]byte(" "), n), ask("e")...) }
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	half := zipped(t, ask("e"))
	for name, test := range map[string]struct {
		body     []byte
		encoding string
		status   int
		code     api.Code
	}{
		"zstd":             {z.EncodeAll(ask("e"), nil), "zstd", 415, api.CodeUnsupported},
		"deflate":          {zipped(t, ask("e")), "deflate", 415, api.CodeUnsupported},
		"twice":            {zipped(t, zipped(t, ask("e"))), "gzip, gzip", 415, api.CodeUnsupported},
		"twice, told once": {zipped(t, zipped(t, ask("e"))), "gzip", 400, api.CodeBadRequest},
		"not told":         {zipped(t, ask("e")), "", 400, api.CodeBadRequest},
		"no gzip":          {ask("e"), "gzip", 400, api.CodeBadRequest},
		"empty":            {nil, "gzip", 400, api.CodeBadRequest},
		"empty inside":     {zipped(t, nil), "gzip", 400, api.CodeBadRequest},
		"cut short":        {half[:len(half)/2], "gzip", 400, api.CodeBadRequest},
		"large":            {padded(8 << 10), "", 413, api.CodeTooLarge},
		"large inflated":   {zipped(t, padded(8<<10)), "gzip", 413, api.CodeTooLarge},
		"bomb":             {zipped(t, make([]byte, 7<<20)), "gzip", 400, api.CodeBadRequest},
		"bomb of spaces":   {zipped(t, padded(7<<20)), "gzip", 413, api.CodeTooLarge},
		"large bomb":       {zipped(t, padded(64<<20)), "gzip", 413, api.CodeTooLarge},
		"members":          {bytes.Repeat(zipped(t, nil), 300), "gzip", 400, api.CodeBadRequest},
		"large as sent":    {zipped(t, ask("e"), bytes.Repeat([]byte{0}, 9<<10)...), "gzip", 413, api.CodeTooLarge},
		"long text":        {zipped(t, []byte(`{"hostname":"`+strings.Repeat("x", 1<<20))), "gzip", 413, api.CodeTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			b := *b
			b.T = t
			b.Do(http.MethodPost, "/api/enroll", "", test.body, "Content-Encoding", test.encoding).Refused(test.status, test.code)
		})
	}
}
