package shots

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"activity-tracker.example/hostd/durable"
	"activity-tracker.example/server/api/policy"
	"activity-tracker.example/sessiond/wire"
)

const (
	// maxWaiting, maxBytes and maxAge bound what waits for the server: beyond them the
	// oldest go. A picture of half a screen has some 40 kB, and of a week ago it is of no
	// use to anybody.
	maxWaiting = 1000
	maxBytes   = 64 << 20
	maxAge     = 7 * 24 * time.Hour
	// maxHeadBytes bounds what stands before a picture in its file.
	maxHeadBytes = 1 << 10
	// suffix ends the names of pictures' files.
	suffix = ".shot"
)

// Shot is one picture.
type Shot struct {
	MachineID string
	TakenAt   time.Time
	Kind      policy.Kind
	JPEG      []byte
}

// head is the line before a picture in its file.
type head struct {
	MachineID string      `json:"machine_id"`
	TakenAt   int64       `json:"taken_at"`
	Kind      policy.Kind `json:"kind"`
	SHA256    string      `json:"sha256"`
}

// entry is a picture that waits.
type entry struct {
	name  string
	at    int64
	who   string
	bytes int64
}

// spool keeps pictures in files until the server has them. It is not safe for concurrent
// use.
type spool struct {
	dir  string
	list []entry // the oldest first
	// dropped counts those that were thrown away: beyond a bound, or damaged.
	dropped int64
}

// openSpool finds what an earlier daemon left, in a folder for its user alone.
func openSpool(dir string) (*spool, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of screenshots: %w", err)
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read the folder of screenshots: %w", err)
	}
	s := &spool{dir: dir}
	for _, f := range files {
		name := f.Name()
		switch {
		case strings.HasPrefix(name, "."): // a crash left it half written
			_ = os.Remove(filepath.Join(dir, name))
		case strings.HasSuffix(name, suffix):
			shot, err := s.read(name)
			if err != nil {
				s.remove(name)
				s.dropped++
				continue
			}
			s.list = append(s.list, entry{name, shot.TakenAt.Unix(), shot.MachineID, int64(len(shot.JPEG))})
		}
	}
	s.sort()
	return s, nil
}

func (s *spool) sort() {
	slices.SortFunc(s.list, func(a, b entry) int { return strings.Compare(a.name, b.name) })
}

// nameOf names a picture's file: by its time first, and by nobody's name.
func nameOf(machineID string, at int64) string {
	sum := sha256.Sum256([]byte(machineID))
	return fmt.Sprintf("%012d-%s%s", at, hex.EncodeToString(sum[:8]), suffix)
}

// add keeps a picture; when it returns, that survives a power cut.
func (s *spool) add(shot Shot) error {
	sum := sha256.Sum256(shot.JPEG)
	at := shot.TakenAt.Unix()
	line, err := json.Marshal(head{shot.MachineID, at, shot.Kind, hex.EncodeToString(sum[:])})
	if err != nil {
		return fmt.Errorf("keep a screenshot: %w", err)
	}
	name := nameOf(shot.MachineID, at)
	const onlyUser = 0o600
	if err := durable.WriteFile(filepath.Join(s.dir, name), slices.Concat(line, []byte("\n"), shot.JPEG), onlyUser); err != nil {
		return fmt.Errorf("keep a screenshot: %w", err)
	}
	s.forget(name)
	s.list = append(s.list, entry{name, at, shot.MachineID, int64(len(shot.JPEG))})
	s.sort()
	return nil
}

// bound throws away what is beyond the bounds, the oldest first.
func (s *spool) bound(now time.Time) {
	for len(s.list) > 0 {
		first := s.list[0]
		if len(s.list) <= maxWaiting && s.bytes() <= maxBytes && now.Unix()-first.at <= int64(maxAge/time.Second) {
			return
		}
		s.done(first)
		s.dropped++
	}
}

func (s *spool) bytes() (sum int64) {
	for i := range s.list {
		sum += s.list[i].bytes
	}
	return sum
}

// done removes a picture that nobody needs any more.
func (s *spool) done(e entry) {
	s.remove(e.name)
	s.forget(e.name)
}

func (s *spool) remove(name string) { _ = os.Remove(filepath.Join(s.dir, name)) } // gone is as good

func (s *spool) forget(name string) {
	s.list = slices.DeleteFunc(s.list, func(e entry) bool { return e.name == name })
}

// errDamaged is a file that is not as it was written.
var errDamaged = errors.New("the file of a screenshot is damaged")

// read reads a picture's file.
func (s *spool) read(name string) (Shot, error) {
	f, err := os.Open(filepath.Join(s.dir, name))
	if err != nil {
		return Shot{}, fmt.Errorf("read a screenshot: %w", err)
	}
	defer func() { _ = f.Close() }() // only read
	data, err := io.ReadAll(io.LimitReader(f, maxHeadBytes+wire.MaxPictureBytes+1))
	if err != nil {
		return Shot{}, fmt.Errorf("read a screenshot: %w", err)
	}
	line, jpeg, found := bytes.Cut(data, []byte("\n"))
	var h head
	if !found || len(line) > maxHeadBytes || json.Unmarshal(line, &h) != nil {
		return Shot{}, errDamaged
	}
	sum := sha256.Sum256(jpeg)
	if hex.EncodeToString(sum[:]) != h.SHA256 || nameOf(h.MachineID, h.TakenAt) != name {
		return Shot{}, errDamaged
	}
	return Shot{MachineID: h.MachineID, TakenAt: time.Unix(h.TakenAt, 0).UTC(), Kind: h.Kind, JPEG: jpeg}, nil
}
