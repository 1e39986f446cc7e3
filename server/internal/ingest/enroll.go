package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/auth"
	"activity-tracker.example/server/internal/problem"
	"activity-tracker.example/server/internal/secret"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/text"
)

// maxEnrollBytes bounds the body of POST /api/enroll, as it was sent and inflated:
// three short texts.
const maxEnrollBytes = 8 << 10

// Enroll is POST /api/enroll. A host that is enrolled already and still has its
// credential may send it as bearer, which allows it to be enrolled again.
func (in *Ingest) Enroll(w http.ResponseWriter, r *http.Request) {
	reply, err := in.enroll(w, r)
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	problem.Send(w, http.StatusCreated, reply)
}

func (in *Ingest) enroll(w http.ResponseWriter, r *http.Request) (api.EnrollReply, error) {
	var none api.EnrollReply
	ask, err := in.readEnroll(w, r)
	if err != nil {
		return none, err
	}
	token, err := secret.Parse(strings.TrimSpace(ask.EnrollmentToken))
	if err != nil || token.Kind != secret.KindEnrollment {
		return none, in.guard.Refuse(r, api.CodeBadToken, "This is no enrolment token; make one with: trackerd-server enrollment create")
	}
	if err := checkHost(&ask); err != nil {
		return none, err
	}
	var proven directory.Host
	if r.Header.Get("Authorization") != "" {
		if proven, err = in.guard.Host(r); err != nil {
			return none, err
		}
	}
	fresh := secret.New(secret.KindHost)
	ctx, cancel := context.WithTimeout(r.Context(), storeTimeout)
	defer cancel()
	err = in.directory.Enroll(ctx, directory.EnrollRequest{
		TokenID: token.ID, TokenMatches: token.Matches, HostID: ask.HostID, Hostname: ask.Hostname, Kind: ask.Kind,
		ProvenHost: proven.Key, CredentialID: fresh.ID, CredentialHash: fresh.Hash(),
	})
	if err != nil {
		in.log.Warn("enrolment refused", "token_id", token.ID, "host_id", ask.HostID, "error", err)
		return none, in.enrollProblem(r, ask.HostID, err)
	}
	in.log.Info("host enrolled", "token_id", token.ID, "host_id", ask.HostID)
	return api.EnrollReply{HostID: ask.HostID, Credential: fresh.Reveal()}, nil
}

// readEnroll reads the body. Anybody may send one, so that it is held back whole
// before anything is taken to inflate it, and zstd is refused: a body of a few
// bytes may ask for megabytes of window there.
func (in *Ingest) readEnroll(w http.ResponseWriter, r *http.Request) (api.EnrollRequest, error) {
	var ask api.EnrollRequest
	if err := checkContentType(r.Header); err != nil {
		return ask, err
	}
	header := contentEncoding(r)
	if coding := encodingOf(header); coding != identity && coding != gzipEncoding {
		return ask, problem.New(api.CodeUnsupported, "Content-Encoding must be identity or gzip.")
	}
	sent, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxEnrollBytes))
	if err != nil {
		return ask, enrollBodyProblem(err)
	}
	body, err := in.memory.inflate(string(sent), header)
	if err != nil {
		return ask, enrollBodyProblem(err)
	}
	defer func() { _ = body.Close() }()
	if err := json.NewDecoder(&inflated{Reader: body, left: maxEnrollBytes}).Decode(&ask); err != nil {
		return ask, enrollBodyProblem(err)
	}
	return ask, nil
}

// enrollBodyProblem turns an error of reading the body into what is sent to the
// caller.
func enrollBodyProblem(err error) error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) || errors.Is(err, errInflated) {
		return problem.New(api.CodeTooLarge,
			fmt.Sprintf("The body has at most %d bytes, as sent and inflated.", maxEnrollBytes))
	}
	e := problem.BadRequest(`The body must be JSON with "enrollment_token", "host_id" and "hostname".`)
	e.Cause = err
	return e
}

// IsHostID reports whether a host may call itself so: any name that can be logged,
// printed and typed.
func IsHostID(id string) bool {
	const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:-"
	return id != "" && len(id) <= api.MaxHostIDBytes && strings.Trim(id, allowed) == ""
}

func checkHost(ask *api.EnrollRequest) error {
	if !IsHostID(ask.HostID) {
		return problem.BadRequest("host_id: want 1 to 128 letters, digits or . _ : -")
	}
	switch ask.Kind {
	case "":
		ask.Kind = api.EnrollHost
	case api.EnrollHost, api.EnrollUser:
	default:
		return problem.BadRequest(`kind: want "host" or "user"`)
	}
	if len(ask.Hostname) > api.MaxHostnameBytes || !text.Visible(ask.Hostname) {
		return problem.BadRequest("hostname: want at most 253 printable characters")
	}
	return nil
}

func (in *Ingest) enrollProblem(r *http.Request, hostID string, err error) error {
	var why directory.EnrollError
	if !errors.As(err, &why) {
		return auth.Answer(err)
	}
	switch why {
	case directory.ErrHostEnrolled:
		return problem.New(api.CodeHostEnrolled,
			"This host_id is or was enrolled. If it was installed anew, or revoked and is to come back, make a token for it with: "+
				"trackerd-server enrollment create --host "+hostID)
	case directory.ErrEnrollmentKind:
		return in.guard.Refuse(r, api.CodeBadToken, why.Error()+": one made with --user enrols one person who measures "+
			"themselves without root ('trackctl --user enroll'), any other a whole host.")
	case directory.ErrUnknownEnrollment:
		return in.guard.Refuse(r, api.CodeBadToken, "The enrolment token is unknown.")
	default:
		return in.guard.Refuse(r, api.CodeBadToken, why.Error()+"; make another with: trackerd-server enrollment create")
	}
}
