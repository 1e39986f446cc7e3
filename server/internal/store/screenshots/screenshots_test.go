package screenshots_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"activity-tracker.example/server/api/policy"
	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/policies"
	"activity-tracker.example/server/internal/store/screenshots"
	"activity-tracker.example/server/internal/store/storetest"
)

// A picture is kept once, as it came, in a file that only the server can read.
func TestAdd(t *testing.T) {
	w := newWall(t)
	id := w.add("anna", 60)
	again, added, err := w.Screenshots.Add(t.Context(), w.shot("anna", 60))
	if err != nil || added || again != id {
		t.Errorf("%v %v %v", again, added, err)
	}
	other := w.add("anna", 61)
	if other == id {
		t.Error("two have one id")
	}
	got, err := w.picture(id)
	if err != nil || !bytes.Equal(got, w.shot("anna", 60).Picture) {
		t.Errorf("%q %v", got, err)
	}
	list := w.of("anna")
	if len(list) != 2 || list[0].ID != other || list[1].ID != id || !list[1].TakenAt.Equal(noon.Add(-time.Minute)) || !list[1].ReceivedAt.Equal(noon) ||
		list[1].Kind != "blurred" || list[1].Width != 120 || list[1].Height != 67 || list[1].Bytes != len(got) || list[1].MachineID != "anna" {
		t.Errorf("%+v", list)
	}
	if list := w.of("boris"); len(list) != 0 {
		t.Errorf("%+v", list)
	}
	files := w.files()
	if len(files) != 2 {
		t.Fatal(files)
	}
	for path := files[0]; path != w.dir; path = filepath.Dir(path) {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%v %v", info.Mode(), err)
		}
	}
}

// Only of an account that the host owns, of which nothing was erased since, and that would
// be kept.
func TestWhoseAndWhen(t *testing.T) {
	w := newWallIn(t, t.TempDir(), screenshots.Options{Keep: 14 * 24 * time.Hour})
	foreign := w.shot("anna", 60)
	foreign.Host++
	old := w.shot("anna", 14*24*3600+1)
	for n, want := range map[*screenshots.NewScreenshot]error{
		foreign: screenshots.ErrForeign, w.shot("clara", 60): screenshots.ErrUnknown, old: screenshots.ErrTooOld, w.shot("anna", 14*24*3600): nil,
	} {
		if _, added, err := w.Screenshots.Add(t.Context(), n); !errors.Is(err, want) || added != (want == nil) {
			t.Errorf("%s: %v %v, want %v", n.MachineID, added, err, want)
		}
	}
	if _, err := w.Erasures.Erase(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	for before, want := range map[int]error{1: screenshots.ErrErased, 0: screenshots.ErrUnknown, -1: screenshots.ErrUnknown} {
		if _, _, err := w.Screenshots.Add(t.Context(), w.shot("anna", before)); !errors.Is(err, want) {
			t.Errorf("%d s before: %v", before, err)
		}
	}
}

// Of several that send the same at once one adds it, all learn its id, and one file is left.
func TestAtOnce(t *testing.T) {
	w := newWall(t)
	servers := []*storetest.Store{w.Store, w.server(screenshots.Options{Dir: w.dir})}
	var all sync.WaitGroup
	var mu sync.Mutex
	ids, added := map[screenshots.ID]int{}, 0
	for i := range 16 {
		all.Go(func() {
			id, first, err := servers[i%2].Screenshots.Add(t.Context(), w.shot("anna", 60))
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			ids[id]++
			if first {
				added++
			}
		})
	}
	all.Wait()
	if len(ids) != 1 || added != 1 || len(w.files()) != 1 || len(w.of("anna")) != 1 {
		t.Errorf("%v, %d added, %v", ids, added, w.files())
	}
}

// What has no room, on the disk or of what pictures may take, is refused, and leaves neither
// a row nor a part of a file.
func TestFull(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=256k"); err != nil {
		t.Fatalf("mounting a small disk: %v (this test needs root)", err)
	}
	w := newWallIn(t, dir, screenshots.Options{})
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	const size = 50_000
	fill := func(s *storetest.Store, machineID string) int {
		t.Helper()
		for i := range 10 {
			n := w.shot(machineID, i)
			n.Picture = bytes.Repeat([]byte("x"), size)
			if _, _, err := s.Screenshots.Add(t.Context(), n); err != nil {
				if !errors.Is(err, screenshots.ErrFull) || len(w.files()) != len(w.of("anna"))+len(w.of("boris")) {
					t.Errorf("%v: %v", err, w.files())
				}
				return i
			}
		}
		return -1
	}
	if n := fill(w.server(screenshots.Options{Dir: dir, LeastFree: 1 << 62}), "anna"); n != 0 {
		t.Errorf("%d beside what stays free", n)
	}
	bounded := w.server(screenshots.Options{Dir: dir, MaxBytes: 2*size + 1})
	if n := fill(bounded, "anna"); n != 2 {
		t.Errorf("%d in the room of two", n)
	}
	if n := fill(w.Store, "boris"); n < 1 {
		t.Errorf("%d on the rest of the disk", n)
	}
	// Once some are gone there is room again.
	for _, one := range append(w.of("anna"), w.of("boris")...) {
		if err := bounded.Screenshots.Delete(t.Context(), one.ID, screenshots.Deletion{By: "test"}); err != nil {
			t.Fatal(err)
		}
	}
	w.ahead = 2 * time.Minute
	if _, added, err := bounded.Screenshots.Add(t.Context(), w.shot("anna", 10)); !added || err != nil {
		t.Error(err)
	}
}

// Servers of one database share one folder: with another one a server takes in nothing and
// finds nothing, and so does one whose folder is away.
func TestOtherFolder(t *testing.T) {
	w := newWall(t)
	id := w.add("anna", 60)
	for name, dir := range map[string]string{"another": t.TempDir(), "none": ""} {
		other := w.server(screenshots.Options{Dir: dir})
		if _, _, err := other.Screenshots.Add(t.Context(), w.shot("anna", 30)); !errors.Is(err, screenshots.ErrFolder) {
			t.Errorf("%s: %v", name, err)
		}
		s, err := other.Screenshots.Find(t.Context(), directory.Scope{}, id)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := other.Screenshots.Picture(t.Context(), &s); !errors.Is(err, screenshots.ErrFolder) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := other.Screenshots.Sweep(t.Context()); !errors.Is(err, screenshots.ErrFolder) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := os.RemoveAll(w.dir); err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.Screenshots.Add(t.Context(), w.shot("anna", 30)); !errors.Is(err, screenshots.ErrFolder) {
		t.Error(err)
	}
	if _, err := w.picture(id); !errors.Is(err, screenshots.ErrFolder) {
		t.Error(err)
	}
}

// Two databases with one folder each have their own in it.
func TestFolderOfTwoDatabases(t *testing.T) {
	a := newWall(t)
	b := newWallIn(t, a.dir, screenshots.Options{})
	ids := []screenshots.ID{a.add("anna", 60), b.add("anna", 60)}
	for _, path := range a.files() {
		a.age(path, 2*time.Hour)
	}
	for i, w := range []*wall{a, b} {
		if n, err := w.Screenshots.Sweep(t.Context()); n != 0 || err != nil {
			t.Error(n, err)
		}
		if _, err := w.picture(ids[i]); err != nil {
			t.Error(err)
		}
	}
}

// Deleting a picture leaves that there was one, and who deleted it.
func TestDelete(t *testing.T) {
	w := newWall(t)
	id, kept := w.add("anna", 60), w.add("anna", 61)
	w.ahead = time.Hour
	group, _, err := w.AddGroup(t.Context(), "others")
	if err != nil {
		t.Fatal(err)
	}
	foreign := screenshots.Deletion{By: "boris", Scope: directory.OfGroups([]int32{group.Key})}
	if err := w.Screenshots.Delete(t.Context(), id, foreign); !errors.Is(err, db.ErrNotFound) {
		t.Error(err)
	}
	for range 2 {
		if err := w.Screenshots.Delete(t.Context(), id, screenshots.Deletion{By: "self", Within: time.Hour}); err != nil {
			t.Error(err)
		}
		w.ahead += time.Second
	}
	if err := w.Screenshots.Delete(t.Context(), kept, screenshots.Deletion{By: "self", Within: time.Hour}); !errors.Is(err, screenshots.ErrTooLate) {
		t.Error(err)
	}
	if err := w.Screenshots.Delete(t.Context(), screenshots.ID{1}, screenshots.Deletion{By: "self"}); !errors.Is(err, db.ErrNotFound) {
		t.Error(err)
	}
	list := w.of("anna")
	if len(list) != 2 || list[1].DeletedAt == nil || !list[1].DeletedAt.Equal(noon.Add(time.Hour)) || *list[1].DeletedBy != "self" || list[0].DeletedAt != nil {
		t.Errorf("%+v", list)
	}
	if _, err := w.picture(id); !errors.Is(err, db.ErrNotFound) {
		t.Error(err)
	}
	// The host's next try brings it not back.
	if again, added, err := w.Screenshots.Add(t.Context(), w.shot("anna", 60)); again != id || added || err != nil {
		t.Error(again, added, err)
	}
	if _, err := w.picture(kept); err != nil || len(w.files()) != 1 {
		t.Error(err, w.files())
	}
}

// What is old goes, with its file, by setting or by policy: the shorter holds. A round of
// maintenance sees to that.
func TestRetention(t *testing.T) {
	w := newWallIn(t, t.TempDir(), screenshots.Options{Keep: 14 * 24 * time.Hour})
	const day = 24 * 3600
	for _, days := range []int{1, 5, 13} {
		w.add("anna", days*day)
	}
	w.add("boris", 13*day)
	for _, round := range []struct{ days, later, anna, boris int }{{0, 0, 3, 1}, {100, 0, 3, 1}, {6, 0, 2, 0}, {0, 0, 2, 0}, {0, 10, 1, 0}} {
		var d policy.Document
		if round.days > 0 {
			d.Retention = &policy.Retention{ScreenshotsDays: &round.days}
		}
		if _, err := w.Policies.Add(t.Context(), policies.Draft{Author: "test", Policy: d}, nil); err != nil {
			t.Fatal(err)
		}
		w.ahead = time.Duration(round.later) * 24 * time.Hour
		if _, err := w.Maintain(t.Context()); err != nil {
			t.Fatal(err)
		}
		if anna, boris := len(w.of("anna")), len(w.of("boris")); anna != round.anna || boris != round.boris || len(w.files()) != anna+boris {
			t.Errorf("%+v: %d and %d, %d files", round, anna, boris, len(w.files()))
		}
	}
}

// A server that was killed between a file and its row leaves a file, which goes; one that
// may get its row yet stays, and so does what is no picture.
func TestSweep(t *testing.T) {
	w := newWall(t)
	if n, err := w.Screenshots.Sweep(t.Context()); n != 0 || err != nil {
		t.Error(n, err)
	}
	lost := w.add("anna", 60)
	killed := w.files()[0]
	if _, err := storetest.Connect(t, w.url).Exec(t.Context(), "DELETE FROM screenshot"); err != nil {
		t.Fatal(err)
	}
	kept := w.add("anna", 61)
	folder := filepath.Dir(filepath.Dir(killed))
	part, alien := filepath.Join(filepath.Dir(killed), ".new-ABC"), filepath.Join(filepath.Dir(killed), "README")
	for _, path := range []string{part, alien, filepath.Join(folder, "lost+found")} {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range w.files() {
		w.age(path, 59*time.Minute)
	}
	if n, err := w.Screenshots.Sweep(t.Context()); n != 0 || err != nil {
		t.Error(n, err)
	}
	w.ahead = 2 * time.Minute
	if n, err := w.Screenshots.Sweep(t.Context()); n != 2 || err != nil {
		t.Error(n, err)
	}
	for path, want := range map[string]bool{killed: false, part: false, alien: true} {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) == want {
			t.Errorf("%s: %v", path, err)
		}
	}
	if _, err := w.picture(kept); err != nil {
		t.Error(err)
	}
	if _, err := w.picture(lost); !errors.Is(err, db.ErrNotFound) {
		t.Error(err)
	}
}

// An upload whose row can't be written for a reason that is not its own leaves its file for
// the sweep, as the row may be there: never a row without a file.
func TestNoRowWithoutFile(t *testing.T) {
	w := newWall(t)
	w.add("anna", 60)
	connection := storetest.Connect(t, w.url)
	if _, err := connection.Exec(t.Context(), `CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END $$;
		CREATE TRIGGER cut BEFORE INSERT ON screenshot FOR EACH ROW EXECUTE FUNCTION cut()`); err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.Screenshots.Add(t.Context(), w.shot("anna", 61)); !errors.Is(err, db.ErrUnavailable) {
		t.Error(err)
	}
	if len(w.files()) != 2 || len(w.of("anna")) != 1 {
		t.Error(w.files())
	}
}

// A file that is lost, cut short, or put in another's place is not shown.
func TestDamaged(t *testing.T) {
	w := newWall(t)
	ids := []screenshots.ID{w.add("anna", 60), w.add("anna", 61)}
	files := w.files()
	if err := os.Rename(files[0], files[1]); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		for _, id := range ids {
			if _, err := w.picture(id); !errors.Is(err, screenshots.ErrLost) {
				t.Error(err)
			}
		}
		if err := os.Truncate(files[1], 3); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(files[1]); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc/passwd", files[1]); err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		if _, err := w.picture(id); !errors.Is(err, screenshots.ErrLost) {
			t.Error(err)
		}
	}
}

// An id has one way to be written, and nothing else is looked for.
func TestParseID(t *testing.T) {
	id := screenshots.ID{1, 2, 3}
	if got, err := screenshots.ParseID(id.String()); err != nil || got != id {
		t.Error(got, err)
	}
	for _, text := range []string{"", "..", "../../etc/passwd", id.String()[1:], id.String() + "00", "zz" + id.String()[2:], "0A" + id.String()[2:]} {
		if _, err := screenshots.ParseID(text); !errors.Is(err, db.ErrNotFound) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// The folder that is erased from goes on being tried until its files are gone.
func TestEraseFiles(t *testing.T) {
	w := newWall(t)
	w.add("anna", 60)
	w.add("boris", 60)
	elsewhere := w.server(screenshots.Options{Dir: t.TempDir()})
	c, err := elsewhere.Erasures.Erase(t.Context(), 1)
	if err != nil || c.Screenshots != 1 {
		t.Fatal(c, err)
	}
	w.ahead = time.Hour
	if err := elsewhere.Erasures.Finish(t.Context()); !errors.Is(err, screenshots.ErrFolder) {
		t.Error(err)
	}
	gone := func() bool {
		c, err := w.Erasures.ByID(context.Background(), c.ID)
		if err != nil {
			t.Fatal(err)
		}
		return c.GoneAt != nil
	}
	if gone() || len(w.files()) != 2 {
		t.Error("a file that is there is gone")
	}
	if err := w.Erasures.Finish(t.Context()); err != nil {
		t.Error(err)
	}
	if !gone() || len(w.files()) != 1 {
		t.Error(w.files())
	}
}

// What is reported of the folder is how it is, and nothing is made by that; files without a row
// are counted as they go.
func TestExamine(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "pictures")
	w := newWallIn(t, dir, screenshots.Options{})
	if s, err := w.Screenshots.Examine(t.Context()); err != nil || s.Used || s.Path != dir {
		t.Errorf("%+v %v", s, err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("looking has made it")
	}
	w.add("anna", 60)
	s, err := w.Screenshots.Examine(t.Context())
	if err != nil || !s.Used || s.Err != nil || s.Mode != 0o700 || s.Owner != os.Geteuid() || !s.Writable || s.Free == 0 || filepath.Dir(s.Path) != dir {
		t.Errorf("%+v %v", s, err)
	}
	stray := filepath.Join(filepath.Dir(w.files()[0]), ".new-x")
	if err := os.WriteFile(stray, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	w.age(stray, 2*time.Hour)
	if n, err := w.Screenshots.Sweep(t.Context()); n != 1 || err != nil {
		t.Error(n, err)
	}
	if n := testutil.ToFloat64(w.Screenshots.Collectors()[0]); n != 1 {
		t.Errorf("%v are counted", n)
	}
	if err := os.Chmod(s.Path, 0o750); err != nil {
		t.Fatal(err)
	}
	if s, err := w.Screenshots.Examine(t.Context()); err != nil || s.Mode != 0o750 {
		t.Errorf("%+v %v", s, err)
	}
	if err := os.RemoveAll(s.Path); err != nil {
		t.Fatal(err)
	}
	if s, err := w.Screenshots.Examine(t.Context()); err != nil || !s.Used || !errors.Is(s.Err, fs.ErrNotExist) {
		t.Errorf("%+v %v", s, err)
	}
	if s, err := w.server(screenshots.Options{}).Screenshots.Examine(t.Context()); err != nil || !errors.Is(s.Err, screenshots.ErrFolder) {
		t.Errorf("%+v %v", s, err)
	}
}
