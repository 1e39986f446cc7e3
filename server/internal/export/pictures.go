package export

import (
	"archive/zip"
	"context"
	"errors"
	"iter"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/dossier"
	"activity-tracker.example/server/internal/store/screenshots"
)

// picturesAtOnce is how many pictures a page of what is known of them has.
const picturesAtOnce = 1000

// screenshots are what is known of pictures, also of those that were deleted.
func (x *Export) screenshots(ctx context.Context) func() iter.Seq2[api.Screenshot, error] {
	return func() iter.Seq2[api.Screenshot, error] {
		return func(yield func(api.Screenshot, error) bool) {
			for s, err := range x.allScreenshots(ctx) {
				if !yield(s.Told(), err) {
					return
				}
			}
		}
	}
}

func (x *Export) allScreenshots(ctx context.Context) iter.Seq2[screenshots.Screenshot, error] {
	return overAccounts(ctx, x, func(ctx context.Context, m *directory.Machine, from time.Time) ([]screenshots.Screenshot, time.Time, error) {
		list, err := x.from.Screenshots.OfMachine(ctx, m.Key, from, picturesAtOnce)
		if err != nil || len(list) < picturesAtOnce {
			return list, time.Time{}, err
		}
		return list, list[len(list)-1].TakenAt.Add(time.Second), nil
	})()
}

// addPictures adds the pictures themselves, as they are: packing makes a JPEG no smaller.
func (x *Export) addPictures(ctx context.Context, z *zip.Writer) error {
	for s, err := range x.allScreenshots(ctx) {
		if err != nil {
			return err
		}
		if s.DeletedAt != nil {
			continue
		}
		if err := x.addPicture(ctx, z, &s); err != nil {
			return err
		}
	}
	return nil
}

func (x *Export) addPicture(ctx context.Context, z *zip.Writer, s *screenshots.Screenshot) error {
	ctx, cancel := context.WithTimeout(ctx, pageTimeout)
	defer cancel()
	picture, err := x.from.Screenshots.Picture(ctx, s)
	if errors.Is(err, screenshots.ErrLost) {
		return nil // deleted since, or by somebody who put back an old backup
	}
	if err != nil {
		return err
	}
	w, err := z.CreateHeader(&zip.FileHeader{Name: dossier.FileScreenshots + "/" + s.ID.String() + asPicture, Method: zip.Store, Modified: s.TakenAt})
	if err != nil {
		return err
	}
	_, err = w.Write(picture)
	return err
}
