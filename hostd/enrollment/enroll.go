package enrollment

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"activity-tracker.example/hostd/config"
	"activity-tracker.example/hostd/outbound"
	"activity-tracker.example/hostd/text"
	"activity-tracker.example/server/api"
)

const (
	// requestTimeout bounds the whole request: somebody sits in front of it.
	requestTimeout = 20 * time.Second
	// connectTimeout bounds connecting: a host that takes longer does not answer, and
	// is not just slow.
	connectTimeout = 5 * time.Second
	// maxReplyBytes bounds what is read of a reply, which is some hundred bytes.
	maxReplyBytes = 64 << 10
	// maxTokenBytes bounds an enrolment token ("id.secret").
	maxTokenBytes = 512
	// OwnMachineID is how a machine that was cloned gets an id of its own.
	OwnMachineID = "'rm /etc/machine-id && systemd-machine-id-setup', then restart it"
	// maxDetailBytes bounds what of a server's own words is shown.
	maxDetailBytes = 300
)

// Request is what it takes to enrol.
type Request struct {
	// URL is the server's, as a person wrote it.
	URL string
	// Token is the enrolment token, "id.secret". It is never logged.
	Token string
	// AllowHTTP permits plain http to a server that is not loopback.
	AllowHTTP bool
	// HostID and Hostname are who enrols.
	HostID   string
	Hostname string
	// User is set when one person enrols, and no host.
	User bool
}

// Enroll asks the server for a credential, keeps it and uses it from now on.
// Its errors are for people: each names what to do.
func (s *Store) Enroll(ctx context.Context, r Request) error {
	server, err := config.ParseServerURL(strings.TrimSpace(r.URL), r.AllowHTTP)
	if errors.Is(err, config.ErrPlainHTTP) {
		return errors.New("refused to enrol over plain http: the token and everything sent later could be read on the way; use https, or --allow-http where the network is trusted")
	}
	if err != nil {
		return fmt.Errorf("the server's URL %w", err)
	}
	if server == "" {
		return errors.New("the server's URL is empty; want one such as https://tracker-api.example.org")
	}
	if s.configuredURL != "" && s.configuredURL != server {
		return fmt.Errorf("%s says server_url %s; enrol with that one, or change or remove server_url and restart trackerd",
			s.configuredFrom, s.configuredURL)
	}
	token := strings.TrimSpace(r.Token)
	if id, secret, ok := strings.Cut(token, "."); !ok || id == "" || secret == "" || len(token) > maxTokenBytes {
		return errors.New("this is no enrolment token; they look like ID.SECRET: make one with 'trackerd-server enrollment create'")
	}
	ask := api.EnrollRequest{EnrollmentToken: token, HostID: r.HostID, Hostname: r.Hostname}
	if r.User {
		ask.Kind = api.EnrollUser
	}
	by := s.o.Outbound
	by.DialTimeout = connectTimeout
	reply, err := post(ctx, by, server, ask)
	if err != nil {
		return err
	}
	if reply.HostID != r.HostID || !validCredential(reply.Credential) {
		return fmt.Errorf("%s answered, but not as a tracker server does; check the URL", server)
	}
	if err := s.keep(credentialFile{ServerURL: server, HostID: r.HostID, Credential: reply.Credential}, r.AllowHTTP); err != nil {
		return fmt.Errorf("the server accepted this host, but %w; make room or correct the folder, then enrol again", err)
	}
	return nil
}

// post sends the request to the server and reads its answer.
func post(ctx context.Context, by outbound.Options, base string, body api.EnrollRequest) (api.EnrollReply, error) {
	data, err := json.Marshal(body)
	if err != nil {
		return api.EnrollReply{}, fmt.Errorf("encode the enrolment: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/api/enroll", bytes.NewReader(data))
	if err != nil {
		return api.EnrollReply{}, fmt.Errorf("make the enrolment request: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	client := outbound.NewClient(by, requestTimeout)
	defer client.CloseIdleConnections()
	resp, err := client.Do(req)
	if err != nil {
		return api.EnrollReply{}, Explain(base, err)
	}
	defer func() { _ = resp.Body.Close() }() // all that matters was read
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxReplyBytes))
	if err != nil {
		return api.EnrollReply{}, Explain(base, err)
	}
	if resp.StatusCode != http.StatusCreated {
		return api.EnrollReply{}, refusal(base, resp, raw)
	}
	var reply api.EnrollReply
	if err := json.Unmarshal(raw, &reply); err != nil {
		return api.EnrollReply{}, fmt.Errorf("%s answered, but not as a tracker server does; check the URL", base)
	}
	return reply, nil
}

// refusal returns in a person's words why the server did not answer 201.
func refusal(base string, resp *http.Response, raw []byte) error {
	var p api.Problem
	isProblem := json.Unmarshal(raw, &p) == nil && p.Code != ""
	detail := ""
	if isProblem && p.Detail != "" {
		detail = " (the server says: " + text.Line(p.Detail, maxDetailBytes) + ")"
	}
	switch {
	case p.Code == api.CodeBadToken, isProblem && resp.StatusCode == http.StatusUnauthorized:
		return fmt.Errorf("%s does not accept this enrolment token: it is unknown, expired, used up or of the other kind%s; "+
			"make a new one on the server with 'trackerd-server enrollment create', for one person without root with '--user'", base, detail)
	case p.Code == api.CodeHostEnrolled:
		return fmt.Errorf("%s has a host with this one's id already%s; if this machine was cloned from one that is in use, "+
			"or that from it, give it a machine-id of its own instead: %s, and enrol it", base, detail, OwnMachineID)
	case resp.StatusCode == http.StatusTooManyRequests:
		return fmt.Errorf("%s is refusing for now: too many attempts; wait a minute and try again", base)
	case resp.StatusCode >= 300 && resp.StatusCode < 400:
		return fmt.Errorf("%s redirects to %s; enrol with the final URL", base, text.Line(resp.Header.Get("Location"), maxDetailBytes))
	case resp.StatusCode == http.StatusServiceUnavailable, resp.StatusCode == http.StatusBadGateway, resp.StatusCode == http.StatusGatewayTimeout:
		return fmt.Errorf("%s is there but not ready (HTTP %d)%s; look at the server, then try again", base, resp.StatusCode, detail)
	case !isProblem:
		return fmt.Errorf("%s answered HTTP %d, but not as a tracker server does; check the URL", base, resp.StatusCode)
	}
	return fmt.Errorf("%s refused to enrol this host: HTTP %d, %s%s", base, resp.StatusCode, text.Line(string(p.Code), maxDetailBytes), detail)
}

// Explain returns in a person's words why there was no answer.
func Explain(base string, err error) error {
	var (
		proxy     *outbound.ProxyError
		dns       *net.DNSError
		verify    *tls.CertificateVerificationError
		authority x509.UnknownAuthorityError
		hostname  x509.HostnameError
		invalid   x509.CertificateInvalidError
		record    tls.RecordHeaderError
		ue        *url.Error
	)
	if errors.As(err, &ue) {
		err = ue.Err // the URL is named anyway
	}
	through := errors.As(err, &proxy)
	switch {
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("enrolling with %s was given up: %w", base, err)
	case errors.As(err, &authority):
		return fmt.Errorf("the certificate of %s is not from an authority that this host trusts: %w; "+
			"install the authority's certificate (update-ca-certificates) or name its file in ca_file, and try again", base, err)
	case errors.As(err, &hostname):
		return fmt.Errorf("the certificate of %s is for another name: %w; use the name in the certificate", base, err)
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return fmt.Errorf("the certificate of %s has expired or is not valid yet: %w; renew it, and check this host's clock", base, err)
	case errors.As(err, &verify):
		return fmt.Errorf("the certificate of %s cannot be verified: %w", base, err)
	case through:
		return fmt.Errorf("cannot reach %s %w; check proxy_url, or HTTPS_PROXY in the unit, and that the proxy lets this host through", base, proxy)
	case errors.As(err, &dns):
		return fmt.Errorf("the name of %s cannot be resolved: %w; check the URL and this host's DNS", base, err)
	case errors.Is(err, http.ErrSchemeMismatch), errors.As(err, &record):
		return fmt.Errorf("%s does not speak TLS; is it http, or another port?", base)
	case errors.Is(err, context.DeadlineExceeded), isTimeout(err):
		return fmt.Errorf("%s does not answer in time; check the URL, firewalls and that the server runs", base)
	}
	return fmt.Errorf("cannot reach %s: %w; check the URL, firewalls and that the server runs", base, err)
}

func isTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}
