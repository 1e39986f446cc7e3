// Package screenshots keeps pictures of screens: a row of the database each, and a file
// beside it.
package screenshots

import (
	"encoding/hex"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/api/policy"
	"activity-tracker.example/server/internal/store/db"
)

const (
	// maxOfDay bounds the pictures of an account in a day (UTC): one each half minute, of
	// which policy allows half.
	maxOfDay = 2880
	// deleteAtOnce bounds the rows that one transaction deletes.
	deleteAtOnce = 1000
	// usageFor is for how long it is taken for known how much all pictures take: what
	// other servers take in meanwhile is missing from it.
	usageFor = time.Minute
)

// Screenshots are those of one database.
type Screenshots struct {
	db     *db.DB
	folder folder
	// maxBytes bounds all pictures together; 0: nothing does.
	maxBytes int64
	// keep is for how long pictures are kept, narrowed by what policy has; 0: for ever.
	keep     time.Duration
	narrowed atomic.Int64
	now      func() time.Time
	// swept counts files without a row.
	swept prometheus.Counter

	mu sync.Mutex
	// used is how much all pictures took at usedAt, and what this server took in since.
	used   int64
	usedAt time.Time
}

// Options are how pictures are kept.
type Options struct {
	// Dir is the folder of their files; empty: none are taken in.
	Dir string
	// Keep is for how long they are kept; 0: for ever.
	Keep time.Duration
	// MaxBytes bounds all of them together; 0: nothing does.
	MaxBytes int64
	// LeastFree is how much of the file system stays free for others, as for the database.
	LeastFree int64
	// Now is the clock.
	Now func() time.Time
}

// New returns the pictures of a database. Their folder is made with the first.
func New(d *db.DB, o Options) *Screenshots {
	return &Screenshots{db: d, folder: folder{db: d, dir: o.Dir, leastFree: o.LeastFree}, maxBytes: o.MaxBytes, keep: o.Keep, now: o.Now, swept: newSwept()}
}

// ID names a picture: random bits.
type ID [16]byte

// String returns it as it stands in URLs.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// ParseID reads it, or returns db.ErrNotFound.
func ParseID(text string) (id ID, err error) {
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != len(id) || hex.EncodeToString(raw) != text {
		return id, db.ErrNotFound
	}
	return ID(raw), nil
}

// Screenshot is what is known of a picture.
type Screenshot struct {
	ID        ID
	Machine   int32
	MachineID string
	TakenAt   time.Time
	// ReceivedAt is when it reached the server.
	ReceivedAt           time.Time
	Kind                 policy.Kind
	Width, Height, Bytes int
	// DeletedAt and DeletedBy are when and by whom the picture was deleted; nil: it is there.
	DeletedAt *time.Time
	DeletedBy *string
	digest    []byte
}

// Told returns it as the API shows it.
func (s *Screenshot) Told() api.Screenshot {
	return api.Screenshot{
		ID: s.ID.String(), MachineID: s.MachineID, TakenAt: s.TakenAt, ReceivedAt: s.ReceivedAt, Kind: string(s.Kind),
		Width: int64(s.Width), Height: int64(s.Height), Bytes: int64(s.Bytes), DeletedAt: s.DeletedAt, DeletedBy: s.DeletedBy,
	}
}

// Narrow has pictures kept no longer than that, as policy says; 0 is nothing of it.
func (s *Screenshots) Narrow(to time.Duration) { s.narrowed.Store(int64(to)) }

// KeepFor is for how long pictures are kept; 0: for ever.
func (s *Screenshots) KeepFor() time.Duration {
	narrowed := time.Duration(s.narrowed.Load())
	if s.keep == 0 || narrowed > 0 && narrowed < s.keep {
		return narrowed
	}
	return s.keep
}

type refusal string

func (e refusal) Error() string { return string(e) }

// Decided makes it a db.Decision.
func (refusal) Decided() {}

// What is refused.
const (
	// ErrForeign means that another host reported the machine_id first.
	ErrForeign refusal = "another host has that machine_id"
	// ErrUnknown means that no event of it has come yet.
	ErrUnknown refusal = "there is no such machine_id yet"
	// ErrErased means that whose picture it is was erased since.
	ErrErased refusal = "its person was erased"
	// ErrTooOld means that it would not be kept.
	ErrTooOld refusal = "it is older than pictures are kept"
	// ErrTooMany means that the account has as many of that day as there may be.
	ErrTooMany refusal = "there are as many of that day as there may be"
	// ErrFull means that there is no room for more.
	ErrFull refusal = "there is no room for more pictures"
	// ErrTooLate means that it is too late to delete it.
	ErrTooLate refusal = "it is too late to delete it"
)

// ErrFolder means that the folder is not there, or is another than that of the other
// servers of the database.
var ErrFolder = errors.New("the folder of pictures can't be used")

// ErrLost means that a picture's file is not there, or is not what it was.
var ErrLost = errors.New("the file of a picture is lost or damaged")
