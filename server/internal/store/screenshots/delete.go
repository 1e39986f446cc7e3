package screenshots

import (
	"context"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/internal/store/audit"
	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/directory"
)

// settle is how old a file must be that has no row: the row of a younger one may still be
// written.
const settle = time.Hour

// Deletion is whose picture is to be deleted, and by whom.
type Deletion struct {
	Scope directory.Scope
	// By names who deletes it.
	By string
	// Within is for how long after it came it may be deleted; 0: for ever.
	Within time.Duration
}

// Delete deletes a picture; that there was one, and who deleted it, stays. Deleting it
// again changes nothing. It returns db.ErrNotFound or ErrTooLate.
func (s *Screenshots) Delete(ctx context.Context, id ID, d Deletion) error {
	var digest []byte
	err := s.db.Write(ctx, "deleting a picture", func(tx pgx.Tx) error {
		found, err := find(ctx, tx, d.Scope, id, "FOR UPDATE OF s")
		if digest = found.digest; err != nil || digest == nil {
			return err
		}
		now := s.now().UTC()
		if d.Within > 0 && now.Sub(found.ReceivedAt) > d.Within {
			digest = nil
			return ErrTooLate
		}
		if _, err := db.Exec(ctx, tx, "leaving a mark", "UPDATE screenshot SET digest = NULL, deleted_at = $2, deleted_by = $3 WHERE id = $1", id, now, d.By); err != nil {
			return err
		}
		return audit.Write(ctx, tx, audit.Change{What: "screenshot.deleted", ID: id.String(), Name: found.MachineID})
	})
	if err != nil || digest == nil {
		return err
	}
	return s.folder.remove(ctx, digest)
}

// DropBefore deletes pictures that were taken before a time, with all that is known of
// them, and returns how many.
func (s *Screenshots) DropBefore(ctx context.Context, cutoff time.Time) (dropped int64, err error) {
	for {
		var digests [][]byte
		var n int64
		err := s.db.Write(ctx, "dropping old pictures", func(tx pgx.Tx) error {
			list, err := db.Collect[struct{ Digest []byte }](ctx, tx, "deleting", `DELETE FROM screenshot WHERE id = ANY(ARRAY(
				SELECT id FROM screenshot WHERE taken_at < $1 ORDER BY taken_at LIMIT $2 FOR UPDATE SKIP LOCKED)) RETURNING digest`, cutoff, deleteAtOnce)
			n, digests = int64(len(list)), nil
			for _, one := range list {
				if one.Digest != nil {
					digests = append(digests, one.Digest)
				}
			}
			return err
		})
		if err != nil {
			return dropped, err
		}
		dropped += n
		if err := s.folder.remove(ctx, digests...); err != nil || n < deleteAtOnce {
			return dropped, err
		}
	}
}

// Sweep deletes files that have no row, as one that was killed leaves them, and returns
// how many.
func (s *Screenshots) Sweep(ctx context.Context) (swept int64, err error) {
	used, err := s.anyFolder(ctx)
	if err != nil || !used {
		return 0, err
	}
	root, err := s.folder.open(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { _ = root.Close() }()
	parts, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return 0, diskError(err)
	}
	for _, part := range parts {
		if len(part.Name()) != 2 || !part.IsDir() {
			continue
		}
		files, err := fs.ReadDir(root.FS(), part.Name())
		if err != nil {
			return swept, diskError(err)
		}
		stray, err := s.strays(ctx, files)
		if err != nil {
			return swept, err
		}
		for _, name := range stray {
			if err := root.Remove(filepath.Join(part.Name(), name)); err != nil {
				return swept, diskError(err)
			}
			swept++
			s.swept.Inc()
		}
	}
	return swept, nil
}

// anyFolder reports whether the database has ever had a picture.
func (s *Screenshots) anyFolder(ctx context.Context) (used bool, err error) {
	err = s.db.Read(ctx, "asking for the folder of pictures", func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, "SELECT name IS NOT NULL FROM screenshot_folder").Scan(&used)
	})
	return used, err
}

// strays returns which of some files were left there: old enough, and without a row.
func (s *Screenshots) strays(ctx context.Context, files []fs.DirEntry) (names []string, err error) {
	var digests [][]byte
	for _, f := range files {
		info, err := f.Info()
		if err != nil || s.now().Sub(info.ModTime()) < settle {
			continue
		}
		if strings.HasPrefix(f.Name(), unfinished) {
			names = append(names, f.Name())
		} else if digest := digestIn(f.Name()); digest != nil {
			digests = append(digests, digest)
		}
	}
	if len(digests) == 0 {
		return names, nil
	}
	err = s.db.Read(ctx, "looking for files without a row", func(tx pgx.Tx) error {
		list, err := db.Collect[struct{ Digest []byte }](ctx, tx, "reading", `SELECT d FROM unnest($1::bytea[]) d
			WHERE NOT EXISTS (SELECT FROM screenshot WHERE digest = d)`, digests)
		for _, one := range list {
			names = append(names, filepath.Base(pathOf(one.Digest)))
		}
		return err
	})
	return names, err
}

// EraseRows deletes all that is known of accounts' pictures, whose files EraseFiles
// deletes for an erasure; it returns how many pictures there were.
func EraseRows(ctx context.Context, tx pgx.Tx, erasure int64, machines []int32) (int64, error) {
	_, err := db.Exec(ctx, tx, "noting which files are left", `INSERT INTO erasure_file (digest, erasure)
		SELECT digest, $2 FROM screenshot WHERE machine = ANY($1) AND digest IS NOT NULL`, machines, erasure)
	if err != nil {
		return 0, err
	}
	return db.Exec(ctx, tx, "deleting pictures", "DELETE FROM screenshot WHERE machine = ANY($1)", machines)
}

// EraseFiles deletes the files of people who were erased. Another server may have deleted
// some.
func (s *Screenshots) EraseFiles(ctx context.Context) error {
	for {
		var digests [][]byte
		err := s.db.Read(ctx, "looking which files are to be deleted", func(tx pgx.Tx) error {
			list, err := db.Collect[struct{ Digest []byte }](ctx, tx, "reading", "SELECT digest FROM erasure_file ORDER BY digest LIMIT $1", deleteAtOnce)
			digests = nil
			for _, one := range list {
				digests = append(digests, one.Digest)
			}
			return err
		})
		if err != nil || len(digests) == 0 {
			return err
		}
		if err := s.folder.remove(ctx, digests...); err != nil {
			return err
		}
		err = s.db.Write(ctx, "noting that files are gone", func(tx pgx.Tx) error {
			_, err := db.Exec(ctx, tx, "deleting", "DELETE FROM erasure_file WHERE digest = ANY($1)", digests)
			return err
		})
		if err != nil {
			return err
		}
	}
}
