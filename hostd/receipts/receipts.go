// Package receipts keeps that accounts of this host have confirmed a notice, and sends
// that to the server until it has it. Nobody is kept from anything by one that is lacking.
package receipts

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"activity-tracker.example/hostd/buffer"
	"activity-tracker.example/hostd/outbound"
	"activity-tracker.example/server/api"
)

// maxKept bounds the receipts that are kept: two for each of the accounts that a large
// host has. Beyond it none is taken.
const maxKept = 8192

// ErrTooMany is returned where no more receipts are kept.
var ErrTooMany = errors.New("this host keeps as many receipts as it may; those that wait for the server have to go first")

// Options of a Keeper.
type Options struct {
	Buffer *buffer.Buffer
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

// kept is a receipt, and whether the server has it.
type kept struct {
	ReadAt time.Time `json:"read_at"`
	// Server is whose server has it; empty: none.
	Server string `json:"server,omitempty"`
}

// id is whose receipt of which notice it is.
type id struct{ machineID, notice string }

func (i id) key() []byte { return []byte(i.machineID + "\x00" + i.notice) }

// Keeper keeps receipts. Make one with New.
type Keeper struct {
	o Options

	mu   sync.Mutex
	list map[id]kept
	// refused are those that a server has refused, until they are sent or this ends.
	refused map[id]refusal

	// wake has Run look at once.
	wake chan struct{}
}

// refusal is when a receipt that a server has refused is sent to it again.
type refusal struct {
	server string
	pause  time.Duration
	until  time.Time
}

// New goes on from what the buffer holds.
func New(o Options) (*Keeper, error) {
	k := &Keeper{o: o.withDefaults(), list: map[id]kept{}, refused: map[id]refusal{}, wake: make(chan struct{}, 1)}
	_, err := o.Buffer.Load(buffer.Receipts, func(key, value []byte) error {
		machineID, notice, ok := strings.Cut(string(key), "\x00")
		var one kept
		if ok && json.Unmarshal(value, &one) == nil && len(k.list) < maxKept { // one that is damaged is asked for again
			k.list[id{machineID, notice}] = one
		}
		return nil
	})
	if err != nil && !errors.Is(err, buffer.ErrReplaced) {
		return nil, fmt.Errorf("reading receipts: %w", err)
	}
	return k, nil
}

// Add keeps that an account has confirmed a notice now, and returns when it first did. Of
// earlier notices of the account only what the server lacks stays.
func (k *Keeper) Add(machineID, notice string) (time.Time, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	this := id{machineID, notice}
	if one, known := k.list[this]; known {
		return one.ReadAt, nil
	}
	var old []id
	for other, one := range k.list {
		if other.machineID == machineID && one.Server != "" {
			old = append(old, other)
		}
	}
	if len(k.list)-len(old) >= maxKept {
		return time.Time{}, ErrTooMany
	}
	one := kept{ReadAt: k.o.Now().UTC().Truncate(time.Second)}
	if err := k.store(map[id]kept{this: one}, old); err != nil {
		return time.Time{}, err
	}
	k.Wake()
	return one.ReadAt, nil
}

// ReadAt returns when an account has confirmed a notice.
func (k *Keeper) ReadAt(machineID, notice string) (time.Time, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	one, known := k.list[id{machineID, notice}]
	return one.ReadAt, known
}

// Wake has what waits sent at once: this host has enrolled.
func (k *Keeper) Wake() {
	select {
	case k.wake <- struct{}{}:
	default: // it will be
	}
}

// unsent are those that a server lacks, the oldest first, but for refused ones that rest.
func (k *Keeper) unsent(server string) (list []api.Receipt) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.o.Now()
	for i, one := range k.list {
		r := k.refused[i]
		rests := r.server == server && now.Before(r.until)
		if one.Server != server && !rests {
			list = append(list, api.Receipt{MachineID: i.machineID, Notice: i.notice, ReadAt: one.ReadAt})
		}
	}
	slices.SortFunc(list, func(a, b api.Receipt) int {
		if c := a.ReadAt.Compare(b.ReadAt); c != 0 {
			return c
		}
		return strings.Compare(a.MachineID+"\x00"+a.Notice, b.MachineID+"\x00"+b.Notice)
	})
	return list
}

// refuse has a receipt rest that a server has refused, each time for longer: what stands
// against it may pass, as a machine_id of which no record has come yet, or never does, as
// for somebody who was erased. It reports whether it is the first time.
func (k *Keeper) refuse(server string, r api.Receipt) (first bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	i := id{r.MachineID, r.Notice}
	before := k.refused[i]
	next := refusal{server: server, pause: firstPause}
	if before.server == server {
		next.pause = min(2*before.pause, longestRest)
	}
	next.until = k.o.Now().Add(k.about(next.pause))
	k.refused[i] = next
	return before.server != server
}

// untilDue is how long it is until a refused receipt is sent again, within bounds.
func (k *Keeper) untilDue() time.Duration {
	target, _ := k.o.Target()
	k.mu.Lock()
	defer k.mu.Unlock()
	wait, now := longestPause, k.o.Now()
	for _, r := range k.refused {
		if r.server == target.URL {
			wait = min(wait, r.until.Sub(now))
		}
	}
	return max(wait, shortestPause)
}

// sent notes that a server has some.
func (k *Keeper) sent(server string, list []api.Receipt) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	changed := map[id]kept{}
	for _, r := range list {
		i := id{r.MachineID, r.Notice}
		if one, known := k.list[i]; known {
			one.Server = server
			changed[i] = one
		}
		delete(k.refused, i)
	}
	return k.store(changed, nil)
}

// store makes receipts and their ends hold, once they are kept. The caller holds the lock.
func (k *Keeper) store(changed map[id]kept, gone []id) error {
	if len(changed) == 0 && len(gone) == 0 {
		return nil
	}
	write := func(put map[id]kept) error {
		return k.o.Buffer.Update(func(tx *buffer.Tx) error {
			for _, i := range gone {
				if err := tx.Delete(buffer.Receipts, i.key()); err != nil {
					return err
				}
			}
			for i, one := range put {
				value, err := json.Marshal(one)
				if err != nil {
					return fmt.Errorf("encoding a receipt: %w", err)
				}
				if err := tx.Put(buffer.Receipts, i.key(), value); err != nil {
					return err
				}
			}
			return nil
		})
	}
	err := write(changed)
	after := k.after(changed, gone)
	if errors.Is(err, buffer.ErrReplaced) { // some of the others may be gone from it
		err = write(after)
	}
	if err != nil {
		return fmt.Errorf("keeping a receipt: %w", err)
	}
	k.list = after
	return nil
}

// after returns what is kept once some have changed and some are gone.
func (k *Keeper) after(changed map[id]kept, gone []id) map[id]kept {
	all := make(map[id]kept, len(k.list)+len(changed))
	for i, one := range k.list {
		if !slices.Contains(gone, i) {
			all[i] = one
		}
	}
	for i, one := range changed {
		all[i] = one
	}
	return all
}
