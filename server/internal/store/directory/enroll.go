package directory

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/audit"
	"activity-tracker.example/server/internal/store/db"
)

// Enrollment is an enrolment token without its secret.
type Enrollment struct {
	ID       string         `json:"id"`
	Kind     api.EnrollKind `json:"kind"`
	UsesLeft int            `json:"uses_left"`
	// ForHost, where not empty, is the only host_id that it enrols, which may
	// be enrolled already.
	ForHost   string    `json:"for_host,omitempty"`
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at"`
}

// What a token enrols, for those who do not speak the contract.
const (
	EnrollsHost = api.EnrollHost
	EnrollsUser = api.EnrollUser
)

// AddEnrollment keeps an enrolment token.
func (d *Directory) AddEnrollment(ctx context.Context, e Enrollment, hash []byte) error {
	return d.db.Write(ctx, "keeping the enrolment token", func(tx pgx.Tx) error {
		_, err := db.Exec(ctx, tx, "inserting", `INSERT INTO enrollment (id, secret_hash, kind, uses_left, for_host, expires_at)
			VALUES ($1, $2, $3, $4, $5, $6)`, e.ID, hash, e.Kind, e.UsesLeft, e.ForHost, e.ExpiresAt)
		if err != nil {
			return err
		}
		return audit.Write(ctx, tx, audit.Change{What: "enrollment.created", ID: e.ID, Name: e.ForHost, Details: map[string]string{
			"kind": string(e.Kind), "uses": strconv.Itoa(e.UsesLeft), "expires_at": e.ExpiresAt.UTC().Format(time.RFC3339),
		}})
	})
}

// EnrollError is why a host was not enrolled.
type EnrollError string

// Why a host was not enrolled.
const (
	// ErrUnknownEnrollment: no such token, or another secret.
	ErrUnknownEnrollment EnrollError = "the enrolment token is unknown"
	// ErrExpiredEnrollment: it was good once.
	ErrExpiredEnrollment EnrollError = "the enrolment token has expired"
	// ErrSpentEnrollment: it enrolled as many hosts as it was made for.
	ErrSpentEnrollment EnrollError = "the enrolment token is used up"
	// ErrEnrollmentForOther: it is bound to another host_id.
	ErrEnrollmentForOther EnrollError = "the enrolment token is for another host"
	// ErrEnrollmentKind: it enrols a host and one person asked, or the reverse.
	ErrEnrollmentKind EnrollError = "the enrolment token is of another kind"
	// ErrHostEnrolled: the host_id has an owner, and the caller did not show
	// that it is the same one.
	ErrHostEnrolled EnrollError = "the host is enrolled already"
)

func (e EnrollError) Error() string { return string(e) }

// Decided makes it a db.Decision.
func (EnrollError) Decided() {}

// EnrollRequest is what Enroll needs to know.
type EnrollRequest struct {
	TokenID string
	// TokenMatches compares the token's secret with the stored hash.
	TokenMatches func(hash []byte) bool
	HostID       string
	Hostname     string
	// Kind is what enrols.
	Kind api.EnrollKind
	// ProvenHost is the row of the host whose present credential the caller
	// showed; zero where it showed none.
	ProvenHost int64
	// CredentialID and CredentialHash are the new credential.
	CredentialID   string
	CredentialHash []byte
}

// Enroll spends one use of the token and adds the host's new credential, both or
// neither.
//
// A host_id comes from the client, so a good token is not enough to take over a
// host that is enrolled already, and its machine_ids with it. That needs one of:
// a token made for that host_id by an administrator, the host's present
// credential, or the very token that enrolled it as long as the credential that
// came of it was never used (the reply got lost; that costs no further use). Any
// old credential stops working, so it is never silent either.
//
// Whoever has a token for one person can also enrol under a host's host_id, which
// every user of that host can work out. Only a token made for it hands it to the
// host; none hands a host's to a person.
func (d *Directory) Enroll(ctx context.Context, r EnrollRequest) error {
	return d.db.Write(ctx, "enrolling a host", func(tx pgx.Tx) error {
		e, expired, err := lockEnrollment(ctx, tx, r)
		if err != nil {
			return err
		}
		if expired {
			return ErrExpiredEnrollment
		}
		if e.Kind != r.Kind {
			return ErrEnrollmentKind
		}
		if e.ForHost != "" && e.ForHost != r.HostID {
			return ErrEnrollmentForOther
		}
		host, free, err := claimHost(ctx, tx, r, e)
		if err != nil {
			return err
		}
		if !free {
			if e.UsesLeft == 0 {
				return ErrSpentEnrollment
			}
			if _, err := db.Exec(ctx, tx, "spending a use", "UPDATE enrollment SET uses_left = uses_left - 1 WHERE id = $1", e.ID); err != nil {
				return err
			}
		}
		if err := replaceCredential(ctx, tx, host, r); err != nil {
			return err
		}
		return audit.Write(audit.As(ctx, audit.Actor{Kind: audit.Enrollment, ID: e.ID}), tx, audit.Change{
			What: "host.enrolled", Name: r.HostID, Details: map[string]string{"hostname": r.Hostname, "kind": string(r.Kind)},
		})
	})
}

// lockEnrollment reads the token's row and keeps others from spending it.
func lockEnrollment(ctx context.Context, tx pgx.Tx, r EnrollRequest) (e Enrollment, expired bool, err error) {
	var hash []byte
	e.ID = r.TokenID
	err = tx.QueryRow(ctx, `SELECT secret_hash, kind, uses_left, for_host, expires_at, expires_at <= now()
		FROM enrollment WHERE id = $1 FOR UPDATE`, r.TokenID).
		Scan(&hash, &e.Kind, &e.UsesLeft, &e.ForHost, &e.ExpiresAt, &expired)
	if errors.Is(err, pgx.ErrNoRows) || err == nil && !r.TokenMatches(hash) {
		return e, false, ErrUnknownEnrollment
	}
	if err != nil {
		return e, false, fmt.Errorf("reading the enrolment token: %w", err)
	}
	return e, expired, nil
}

// claimHost makes the host's row, or finds it and decides whether the caller
// may have it. It returns whether the claim is free of charge.
func claimHost(ctx context.Context, tx pgx.Tx, r EnrollRequest, e Enrollment) (host int64, free bool, err error) {
	err = tx.QueryRow(ctx, `INSERT INTO host (host_id, hostname, enrollment, kind) VALUES ($1, $2, $3, $4)
		ON CONFLICT (host_id) DO NOTHING RETURNING id`, r.HostID, r.Hostname, e.ID, r.Kind).Scan(&host)
	if err == nil {
		return host, false, nil
	}
	if !errors.Is(err, pgx.ErrNoRows) {
		return 0, false, fmt.Errorf("adding the host: %w", err)
	}
	var enrolledWith string
	var kind api.EnrollKind
	var used bool
	err = tx.QueryRow(ctx, `SELECT h.id, h.enrollment, h.kind,
			EXISTS (SELECT FROM host_credential c WHERE c.host = h.id AND c.first_used_at IS NOT NULL)
		FROM host h WHERE h.host_id = $1 FOR UPDATE`, r.HostID).Scan(&host, &enrolledWith, &kind, &used)
	if err != nil {
		return 0, false, fmt.Errorf("reading the enrolled host: %w", err)
	}
	switch {
	case kind != r.Kind && r.Kind != api.EnrollHost:
		return 0, false, ErrEnrollmentKind
	case kind != r.Kind && e.ForHost != r.HostID:
		return 0, false, ErrHostEnrolled
	case enrolledWith == e.ID && !used:
		free = true
	case e.ForHost == r.HostID, r.ProvenHost == host:
	default:
		return 0, false, ErrHostEnrolled
	}
	_, err = db.Exec(ctx, tx, "updating the host", "UPDATE host SET hostname = $2, enrollment = $3, kind = $4, enrolled_at = now() WHERE id = $1",
		host, r.Hostname, e.ID, r.Kind)
	return host, free, err
}

func replaceCredential(ctx context.Context, tx pgx.Tx, host int64, r EnrollRequest) error {
	if _, err := db.Exec(ctx, tx, "revoking the old credential", "DELETE FROM host_credential WHERE host = $1", host); err != nil {
		return err
	}
	_, err := db.Exec(ctx, tx, "adding the new credential", "INSERT INTO host_credential (id, host, secret_hash) VALUES ($1, $2, $3)",
		r.CredentialID, host, r.CredentialHash)
	return err
}
