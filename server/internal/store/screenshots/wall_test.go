package screenshots_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/api/policy"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/people"
	"activity-tracker.example/server/internal/store/screenshots"
	"activity-tracker.example/server/internal/store/storetest"
)

// noon is when the tests begin.
var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// wall is a database with two accounts of a host, and a folder of pictures.
type wall struct {
	*storetest.Store
	t        *testing.T
	url, dir string
	host     int64
	ahead    time.Duration
}

func newWall(t *testing.T) *wall {
	t.Helper()
	return newWallIn(t, t.TempDir(), screenshots.Options{})
}

func newWallIn(t *testing.T, dir string, o screenshots.Options) *wall {
	t.Helper()
	w := &wall{t: t, url: storetest.NewDatabase(t), dir: dir}
	o.Dir = dir
	w.Store = w.server(o)
	w.host = storetest.AddHost(t, w.Store)
	for _, id := range []string{"anna", "boris"} {
		storetest.Accepted(t, w.Store, w.host, []api.Event{{MachineID: id, Timestamp: noon.Add(-time.Minute)}}, 1)
	}
	return w
}

// server returns another server on the same database.
func (w *wall) server(o screenshots.Options) *storetest.Store {
	return storetest.Prepared(w.t, w.url, storetest.Options{Screenshots: o, Now: func() time.Time { return noon.Add(w.ahead) }})
}

// shot is a picture of an account, so many seconds before noon.
func (w *wall) shot(machineID string, before int) *screenshots.NewScreenshot {
	return &screenshots.NewScreenshot{
		Host: w.host, MachineID: machineID, TakenAt: noon.Add(-time.Duration(before) * time.Second), Kind: policy.Blurred,
		Width: 120, Height: 67, Picture: fmt.Appendf(nil, "%s, %8d s before noon", machineID, before),
	}
}

// add keeps one.
func (w *wall) add(machineID string, before int) screenshots.ID {
	w.t.Helper()
	id, added, err := w.Screenshots.Add(w.t.Context(), w.shot(machineID, before))
	if err != nil || !added {
		w.t.Fatal(added, err)
	}
	return id
}

// of lists an account's pictures.
func (w *wall) of(machineID string) []screenshots.Screenshot {
	w.t.Helper()
	people, err := w.People.List(w.t.Context(), people.Filter{MachineID: machineID, Limit: 1})
	if err != nil || len(people) != 1 {
		w.t.Fatal(people, err)
	}
	list, err := w.Screenshots.Of(w.t.Context(), &screenshots.Filter{Person: people[0].ID, From: noon.AddDate(-1, 0, 0), To: noon.AddDate(1, 0, 0), Limit: 100})
	if err != nil {
		w.t.Fatal(err)
	}
	return list
}

// picture reads one whole.
func (w *wall) picture(id screenshots.ID) ([]byte, error) {
	w.t.Helper()
	ctx := context.Background()
	s, err := w.Screenshots.Find(ctx, directory.Scope{}, id)
	if err != nil {
		return nil, err
	}
	return w.Screenshots.Picture(ctx, &s)
}

// files returns the paths of all files in the folder.
func (w *wall) files() (paths []string) {
	w.t.Helper()
	err := filepath.WalkDir(w.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		paths = append(paths, path)
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return paths
}

// age makes a file that old.
func (w *wall) age(path string, by time.Duration) {
	w.t.Helper()
	at := noon.Add(w.ahead - by)
	if err := os.Chtimes(path, at, at); err != nil {
		w.t.Fatal(err)
	}
}
