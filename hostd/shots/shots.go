// Package shots has pictures taken of sessions where that is allowed, one at a random
// moment of each interval, keeps them within bounds, and sends them to the server. What
// is allowed is asked before each picture and after it.
package shots

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	mathrand "math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"activity-tracker.example/hostd/durable"
	"activity-tracker.example/hostd/outbound"
	"activity-tracker.example/hostd/roster"
	"activity-tracker.example/server/api/policy"
	"activity-tracker.example/sessiond/wire"
)

const (
	// atOnce is of how many sessions pictures are taken at the same time: one whose
	// program hangs keeps no other waiting.
	atOnce = 4
	// lookAgain is how often it is looked which sessions there are.
	lookAgain = 10 * time.Second
	// keyFile keeps what the moments are drawn from, so that after a restart they are the
	// same and no interval has two.
	keyFile  = "key"
	keyBytes = 32
)

// Rules are which pictures may be taken here now.
type Rules struct {
	On       bool
	Kind     policy.Kind
	Interval time.Duration
}

// Options of a Keeper. All but Client, Log, Now and Random must be set.
type Options struct {
	// Dir is where pictures wait.
	Dir string
	// Binary is the absolute path of the program that takes one.
	Binary  string
	Program Program
	// Rules returns what holds now.
	Rules func() Rules
	// Titles returns the rules for titles that hold now.
	Titles func() wire.Rules
	// Sessions returns those that are measured now.
	Sessions func() []roster.Tracked
	// WhyNot returns why no picture may be taken of a session now; empty: one may.
	WhyNot func(roster.Tracked) string
	// Target returns the server that the host is enrolled with.
	Target func() (outbound.Target, bool)
	// Client speaks to the server.
	Client *http.Client
	Log    *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Random returns a number in [0, 1); nil means math/rand's.
	Random func() float64
}

// Status is how it goes, in numbers since the daemon started.
type Status struct {
	// Waiting are the pictures that the server has not yet, of Bytes.
	Waiting int
	Bytes   int64
	// Taken and Sent count pictures, Dropped those beyond a bound, Refused those that
	// the server does not take, and Forgotten those of people who were erased there.
	Taken, Sent, Dropped, Refused, Forgotten int64
	// LastSent is when the server last took one.
	LastSent time.Time
	// LastError is why the last one was not sent or kept; empty if it was.
	LastError string
	// Of is how it goes with each session, by its name.
	Of map[string]Session
}

// Session is how it goes with one session.
type Session struct {
	// LastTaken is when the last picture was taken; zero: none was.
	LastTaken time.Time
	// LastFailed is why the last one that was to be taken was not.
	LastFailed string
}

// Keeper takes, keeps and sends pictures. Make one with New; it is safe for concurrent use.
type Keeper struct {
	o   Options
	key []byte
	// fresh and enrolled have room for one word that there is a new picture, or that this
	// host has enrolled.
	fresh, enrolled chan struct{}

	mu     sync.Mutex
	spool  *spool
	status Status
	// last is when the last picture of an account was taken: no second has two.
	last map[string]int64
}

// New makes a keeper, with what an earlier one left to send.
func New(o Options) (*Keeper, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Random == nil {
		o.Random = mathrand.Float64
	}
	if o.Client == nil {
		o.Client = &http.Client{Timeout: SendTimeout}
	}
	s, err := openSpool(o.Dir)
	if err != nil {
		return nil, err
	}
	key, err := readKey(filepath.Join(o.Dir, keyFile))
	if err != nil {
		return nil, err
	}
	return &Keeper{
		o: o, key: key, spool: s, fresh: make(chan struct{}, 1), enrolled: make(chan struct{}, 1),
		last: map[string]int64{}, status: Status{Of: map[string]Session{}},
	}, nil
}

// readKey reads the key that moments are drawn from, or makes one.
func readKey(path string) ([]byte, error) {
	key, err := os.ReadFile(path)
	if err == nil && len(key) == keyBytes {
		return key, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the key of screenshots' moments: %w", err)
	}
	key = make([]byte, keyBytes)
	_, _ = rand.Read(key) // never fails
	const onlyUser = 0o600
	if err := durable.WriteFile(path, key, onlyUser); err != nil {
		return nil, fmt.Errorf("keep the key of screenshots' moments: %w", err)
	}
	return key, nil
}

// moment is when within an interval the picture of a session is taken.
func (k *Keeper) moment(session string, number int64, interval time.Duration) time.Time {
	h := hmac.New(sha256.New, k.key)
	_, _ = h.Write([]byte(session + "\x00" + strconv.FormatInt(number, 10))) // a hash never fails
	offset := binary.BigEndian.Uint64(h.Sum(nil)) % uint64(interval)
	return time.Unix(number*int64(interval/time.Second), 0).Add(time.Duration(offset))
}

// next is the first moment of a session that is after a time.
func (k *Keeper) next(session string, after time.Time, interval time.Duration) time.Time {
	number := after.Unix() / int64(interval/time.Second)
	if at := k.moment(session, number, interval); at.After(after) {
		return at
	}
	return k.moment(session, number+1, interval)
}

// Run takes pictures until ctx ends. It looks from moment to moment.
func (k *Keeper) Run(ctx context.Context) error {
	var group sync.WaitGroup
	defer group.Wait()
	room := make(chan struct{}, atOnce)
	for before := k.o.Now(); ; {
		now := k.o.Now()
		due, wait := k.due(before, now)
		for _, t := range due {
			group.Go(func() {
				room <- struct{}{}
				k.Take(ctx, t)
				<-room
			})
		}
		before = now
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
}

// due returns the sessions whose moment came between two times, and for how long there is
// nothing to do after them. A moment that is long over was slept through, or the clock was
// set.
func (k *Keeper) due(before, now time.Time) (list []roster.Tracked, wait time.Duration) {
	wait = lookAgain
	rules := k.o.Rules()
	if !rules.On || rules.Interval < time.Second {
		return nil, wait
	}
	sessions := k.o.Sessions()
	k.forgetOthers(sessions)
	for _, t := range sessions {
		if at := k.next(t.Name(), before, rules.Interval); !at.After(now) && now.Sub(at) <= lookAgain+time.Second {
			list = append(list, t)
		}
		wait = min(wait, k.next(t.Name(), now, rules.Interval).Sub(now))
	}
	return list, wait
}

// Take takes a picture of a session now and keeps it, if it may be taken before and after.
func (k *Keeper) Take(ctx context.Context, t roster.Tracked) {
	err := k.take(ctx, t)
	if err == nil || ctx.Err() != nil {
		return
	}
	level, usual := slog.LevelInfo, notNowError("")
	if errors.As(err, &usual) { // as of everybody who is not at work
		level = slog.LevelDebug
	}
	k.o.Log.Log(ctx, level, "no screenshot was taken", "session", t.Key.ID, "reason", err)
	k.mu.Lock()
	defer k.mu.Unlock()
	s := k.status.Of[t.Name()]
	s.LastFailed = err.Error()
	k.status.Of[t.Name()] = s
}

// notNowError is why no picture may be taken.
type notNowError string

func (e notNowError) Error() string { return string(e) }

func (k *Keeper) take(ctx context.Context, t roster.Tracked) error {
	rules := k.o.Rules()
	if !rules.On {
		return notNowError("screenshots are off")
	}
	if why := k.o.WhyNot(t); why != "" {
		return notNowError(why)
	}
	titles := k.titles()
	picture, err := k.shoot(ctx, t, rules.Kind, titles)
	if err != nil {
		return err
	}
	if k.o.Rules() != rules || !bytes.Equal(k.titles(), titles) {
		return notNowError("the rules changed meanwhile")
	}
	if why := k.o.WhyNot(t); why != "" {
		return notNowError(why)
	}
	return k.keep(t, Shot{MachineID: t.MachineID, Kind: rules.Kind, JPEG: picture})
}

// titles is the packet with the rules for titles that hold now.
func (k *Keeper) titles() []byte {
	rules := k.o.Titles()
	rules.ID, rules.UntilUnix = 1, 0 // for helpers alone
	return wire.AppendRules(nil, &rules)
}

// keep keeps a picture that was taken now.
func (k *Keeper) keep(t roster.Tracked, shot Shot) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.o.Now()
	at := max(now.Unix(), k.last[shot.MachineID]+1)
	if at > now.Unix()+1 { // the clock was set back
		at = now.Unix()
	}
	shot.TakenAt = time.Unix(at, 0).UTC()
	if err := k.spool.add(shot); err != nil {
		k.status.LastError = err.Error()
		return err
	}
	k.spool.bound(now)
	k.last[shot.MachineID] = at
	k.status.Taken++
	k.status.Of[t.Name()] = Session{LastTaken: shot.TakenAt}
	wake(k.fresh)
	return nil
}

// forgetOthers forgets how it went with sessions that are over.
func (k *Keeper) forgetOthers(sessions []roster.Tracked) {
	there := make(map[string]bool, len(sessions))
	for i := range sessions {
		there[sessions[i].Name()] = true
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for name := range k.status.Of {
		if !there[name] {
			delete(k.status.Of, name)
		}
	}
}

// Wake has what waits sent at once: this host has enrolled.
func (k *Keeper) Wake() { wake(k.enrolled) }

func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // it will be
	}
}

// Status returns how it goes.
func (k *Keeper) Status() Status {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := k.status
	s.Waiting, s.Bytes, s.Dropped = len(k.spool.list), k.spool.bytes(), k.spool.dropped
	s.Of = make(map[string]Session, len(k.status.Of))
	for name, one := range k.status.Of {
		s.Of[name] = one
	}
	return s
}
