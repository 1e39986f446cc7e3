// Package asking has people asked whether they have read the notice: by a window in one
// session of theirs, at most once a day, and by a few lines where they log in on a
// terminal. That is done only where the host's file or a policy has a notice; nobody is
// kept from anything.
//
// The window is zenity's, in a unit of its user that ends with the daemon. A program of
// ours around it would add only a second way for the answer: whoever confirms is a program
// of that user in any case.
package asking

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"

	"activity-tracker.example/hostd/buffer"
	"activity-tracker.example/hostd/durable"
	"activity-tracker.example/hostd/helper"
	"activity-tracker.example/hostd/notice"
	"activity-tracker.example/hostd/roster"
)

const (
	// lookEvery is how often it is looked whom to ask: a login needs some seconds anyway.
	lookEvery = 10 * time.Second
	// askEvery is how often an account is asked at most.
	askEvery = 24 * time.Hour
	// perLook bounds the windows that are opened at once, and maxWindows those that are
	// open: many may log in at the same time.
	perLook    = 4
	maxWindows = 64
	// maxAsked bounds the accounts of which it is known when they were asked.
	maxAsked = 4096
)

// Options of an Asker.
type Options struct {
	Buffer *buffer.Buffer
	// Notice returns what holds now.
	Notice func() notice.Notice
	// Sessions are those that are measured, and Connected reports whether somebody can be
	// at one; nil where that cannot be known.
	Sessions  func() []helper.State
	Connected func(roster.Tracked) (*bool, error)
	// Read reports whether an account has confirmed a version, and Confirm notes it.
	Read    func(machineID, version string) bool
	Confirm func(machineID, version string) error
	// Show opens a window, and reports what became of it; nil: the system's.
	Show func(ctx context.Context, session *roster.Tracked, text string) (Answer, error)
	// Clear closes what an earlier daemon opened, to which nobody listens; nil: the
	// system's.
	Clear func(ctx context.Context)
	// File is shown at logins on terminals while there is a notice.
	File string
	Log  *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Answer is what became of a window.
type Answer int

// The answers.
const (
	// Unasked means that nobody saw it, or that it was closed with the daemon.
	Unasked Answer = iota
	// Declined means that it was closed without a yes.
	Declined
	// Confirmed is a yes.
	Confirmed
)

// Asker asks. Make one with New.
type Asker struct {
	o Options

	mu    sync.Mutex
	asked map[string]time.Time // by machine_id
	open  map[string]bool      // likewise: there is a window
}

// New goes on from what the buffer holds.
func New(o Options) (*Asker, error) {
	if o.Show == nil {
		o.Show = show
	}
	if o.Clear == nil {
		o.Clear = clearWindows
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	a := &Asker{o: o, asked: map[string]time.Time{}, open: map[string]bool{}}
	_, err := o.Buffer.Load(buffer.Asked, func(key, value []byte) error {
		var at time.Time
		if at.UnmarshalText(value) == nil && len(a.asked) < maxAsked { // who is damaged is asked once more
			a.asked[string(key)] = at
		}
		return nil
	})
	if err != nil && !errors.Is(err, buffer.ErrReplaced) {
		return nil, fmt.Errorf("reading who was asked: %w", err)
	}
	return a, nil
}

// Run asks until ctx ends, and then closes the windows.
func (a *Asker) Run(ctx context.Context) error {
	var windows sync.WaitGroup
	defer windows.Wait()
	a.o.Clear(ctx)
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		n := a.o.Notice()
		if err := a.writeFile(n.Login); err != nil {
			a.o.Log.Warn("logins on terminals do not show the notice as it is", "error", err)
		}
		for _, session := range a.due(n) {
			windows.Go(func() { a.ask(ctx, &session, n) })
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// due returns one session of each account that is to be asked now, and notes that it has a
// window.
func (a *Asker) due(n notice.Notice) (list []roster.Tracked) {
	if n.Login == "" {
		return nil
	}
	sessions := attended(a.o.Sessions(), a.o.Connected)
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := range sessions {
		who := sessions[i].MachineID
		at, was := a.asked[who]
		since := a.o.Now().Sub(at)
		if len(list) == perLook || len(a.open) >= maxWindows {
			break
		}
		if a.open[who] || was && since >= 0 && since < askEvery || a.o.Read(who, n.Version) {
			continue
		}
		a.open[who] = true
		list = append(list, sessions[i])
	}
	return list
}

// ask shows a window and notes the answer.
func (a *Asker) ask(ctx context.Context, session *roster.Tracked, n notice.Notice) {
	answer, err := a.o.Show(ctx, session, n.Text)
	if err != nil {
		a.o.Log.Warn("a person is not asked whether they have read the notice", "session", session.Key.ID, "error", err)
	}
	if answer == Confirmed {
		if err := a.o.Confirm(session.MachineID, n.Version); err != nil {
			a.o.Log.Error("that a person has read the notice is lost; they are asked again", "error", err)
			answer = Declined // a day later
		}
	}
	if answer != Unasked || err != nil { // what fails would fail in ten seconds, too
		if err := a.note(session.MachineID); err != nil {
			a.o.Log.Warn("who was asked may be asked again", "error", err)
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.open, session.MachineID)
}

// note keeps that an account was asked now, and forgets who was long ago.
func (a *Asker) note(machineID string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.o.Now().UTC().Truncate(time.Second)
	var gone []string
	for who, at := range a.asked {
		if since := now.Sub(at); since >= askEvery || since < -askEvery {
			gone = append(gone, who)
		}
	}
	for _, who := range gone {
		delete(a.asked, who)
	}
	if len(a.asked) >= maxAsked {
		return fmt.Errorf("%d accounts were asked within a day", maxAsked)
	}
	a.asked[machineID] = now
	value, _ := now.MarshalText() // a time of this century never fails
	write := func(tx *buffer.Tx) error {
		for _, who := range gone {
			if err := tx.Delete(buffer.Asked, []byte(who)); err != nil {
				return err
			}
		}
		return tx.Put(buffer.Asked, []byte(machineID), value)
	}
	err := a.o.Buffer.Update(write)
	if errors.Is(err, buffer.ErrReplaced) {
		err = a.o.Buffer.Update(write)
	}
	if err != nil {
		return fmt.Errorf("keeping who was asked: %w", err)
	}
	return nil
}

// writeFile makes the file hold what logins on terminals show; nothing is no file.
func (a *Asker) writeFile(text string) error {
	before, err := os.ReadFile(a.o.File)
	there := err == nil
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("reading %s: %w", a.o.File, err)
	case text == "" && !there, text != "" && there && bytes.Equal(before, []byte(text)):
		return nil
	case text == "":
		if err := os.Remove(a.o.File); err != nil {
			return fmt.Errorf("removing %s: %w", a.o.File, err)
		}
		return nil
	}
	const everybody = 0o644
	if err := durable.WriteFile(a.o.File, []byte(text), everybody); err != nil {
		return fmt.Errorf("writing %s: %w", a.o.File, err)
	}
	return nil
}
