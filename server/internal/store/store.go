// Package store joins the rooms below it for callers that do not yet name the
// rooms they need. It goes when they do.
package store

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/dictionary"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/events"
	"activity-tracker.example/server/internal/store/inspect"
	"activity-tracker.example/server/internal/store/partition"
	"activity-tracker.example/server/internal/store/query"
	"activity-tracker.example/server/internal/store/upkeep"
)

// Names of the rooms.
type (
	ReplicaState       = db.ReplicaState
	Schema             = db.Schema
	OlderSchemaError   = db.OlderSchemaError
	NewerSchemaError   = db.NewerSchemaError
	Role               = directory.Role
	Token              = directory.Token
	Scope              = directory.Scope
	Machine            = directory.Machine
	MachineFilter      = directory.MachineFilter
	Group              = directory.Group
	HostState          = directory.HostState
	Host               = directory.Host
	Enrollment         = directory.Enrollment
	EnrollError        = directory.EnrollError
	EnrollRequest      = directory.EnrollRequest
	Batch              = events.Batch
	Written            = events.Written
	Retention          = partition.Retention
	Sums               = query.Sums
	Span               = query.Span
	AppSeconds         = query.AppSeconds
	Page               = query.Page
	Classes            = query.Classes
	Use                = query.Use
	MachineUse         = query.MachineUse
	MachineSpans       = query.MachineSpans
	Mark               = query.Mark
	Compacted          = upkeep.Compacted
	Maintained         = upkeep.Maintained
	RollupCheck        = upkeep.RollupCheck
	CompactionState    = upkeep.CompactionState
	Look               = inspect.Look
	Silence            = inspect.Silence
	TableLook          = inspect.TableLook
	Examination        = inspect.Examination
	PartitionState     = inspect.PartitionState
	PostgresSettings   = inspect.PostgresSettings
	ReplicaExamination = inspect.ReplicaExamination
	Contents           = inspect.Contents
	Occupation         = inspect.Contents
)

// Names of the rooms.
const (
	UsualReplicaLag       = db.UsualReplicaLag
	ServerName            = db.ServerName
	CommandName           = db.CommandName
	RoleViewer            = directory.RoleViewer
	RoleAdmin             = directory.RoleAdmin
	MaxTokenGroups        = directory.MaxTokenGroups
	MaxGroups             = directory.MaxGroups
	ErrNoGroup            = directory.ErrNoGroup
	ErrNoneKnown          = directory.ErrNoneKnown
	ErrGroupExists        = directory.ErrGroupExists
	ErrTooManyGroups      = directory.ErrTooManyGroups
	ErrCategoriesChanged  = directory.ErrCategoriesChanged
	ErrUnknownEnrollment  = directory.ErrUnknownEnrollment
	ErrExpiredEnrollment  = directory.ErrExpiredEnrollment
	ErrSpentEnrollment    = directory.ErrSpentEnrollment
	ErrEnrollmentForOther = directory.ErrEnrollmentForOther
	ErrEnrollmentKind     = directory.ErrEnrollmentKind
	ErrHostEnrolled       = directory.ErrHostEnrolled
	ErrRevoked            = events.ErrRevoked
	RefuseServers         = inspect.RefuseServers
	EnrollsHost           = api.EnrollHost
	EnrollsUser           = api.EnrollUser
)

// Errors of the rooms.
var (
	ErrUnavailable = db.ErrUnavailable
	ErrNoAccess    = db.ErrNoAccess
	ErrNotFound    = db.ErrNotFound
)

// Nothing is the scope of a caller who may see no machine.
func Nothing() Scope { return directory.Nothing() }

// Store is all rooms of one database.
type Store struct {
	*db.DB
	*directory.Directory
	*events.Writer
	*query.Reader
	*upkeep.Upkeep
	*inspect.Inspector
	Partitions *partition.Partitions
	Dictionary *dictionary.Dictionary
}

// Options are those of all rooms.
type Options struct {
	Keep         partition.Retention
	CompactAfter time.Duration
	// Now is the clock; nil means time.Now.
	Now        func() time.Time
	Log        *slog.Logger
	NoMigrate  bool
	ReplicaURL string
	ReplicaLag time.Duration
	Name       string
}

// Open opens all rooms of a database. It does not connect.
func Open(ctx context.Context, url string, opts Options) (*Store, error) {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	d, err := db.Open(ctx, url, db.Options{
		Log: opts.Log, NoMigrate: opts.NoMigrate, ReplicaURL: opts.ReplicaURL, ReplicaLag: opts.ReplicaLag, Name: opts.Name,
	})
	if err != nil {
		return nil, err
	}
	s := &Store{DB: d, Partitions: partition.New(d, opts.Keep, opts.Now), Directory: directory.New(d)}
	s.Dictionary = dictionary.New(d, s.Partitions)
	s.Writer = events.New(d, s.Partitions, s.Dictionary, s.ForgetHosts)
	s.Reader = query.New(d, s.Partitions)
	s.Upkeep = upkeep.New(d, s.Partitions, upkeep.Options{CompactAfter: opts.CompactAfter, Now: opts.Now, Log: opts.Log})
	s.Inspector = inspect.New(d, s.Partitions, s.Upkeep)
	return s, nil
}

// Collectors are the figures of all rooms for Prometheus.
func (s *Store) Collectors() []prometheus.Collector {
	return slices.Concat(s.Writer.Collectors(), s.Dictionary.Collectors(), s.DB.Collectors())
}

// Occupation looks at what a database holds.
func (s *Store) Occupation(ctx context.Context) (Occupation, error) { return s.Contents(ctx) }
