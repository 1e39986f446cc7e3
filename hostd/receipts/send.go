package receipts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"time"

	"activity-tracker.example/hostd/outbound"
	"activity-tracker.example/server/api"
)

const (
	// SendTimeout bounds one request, for the client.
	SendTimeout = 30 * time.Second
	// firstPause and longestPause are between two tries. What stands against a receipt is
	// a server that is away, or a machine_id of which no record has come yet.
	firstPause   = 15 * time.Second
	longestPause = time.Hour
	// longestRest is between two tries of a receipt that the server has refused again and
	// again, shortestPause between any two.
	longestRest   = 24 * time.Hour
	shortestPause = time.Second
	// maxReplyBytes bounds what is read of an answer.
	maxReplyBytes = 4 << 10
)

// errRefused is a receipt that the server does not take; others it may.
var errRefused = errors.New("the server does not take it")

func (o Options) withDefaults() Options {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Random == nil {
		o.Random = rand.Float64
	}
	if o.Client == nil {
		o.Client = &http.Client{Timeout: SendTimeout}
	}
	return o
}

// Run sends the server what it lacks until ctx ends.
func (k *Keeper) Run(ctx context.Context) error {
	for pause := firstPause; ; {
		var wait time.Duration
		if err := k.send(ctx); err == nil || errors.Is(err, errRefused) {
			pause, wait = firstPause, k.untilDue()
		} else {
			if pause == firstPause && ctx.Err() == nil {
				k.o.Log.Warn("receipts of the notice wait for the server", "error", err)
			}
			wait = k.about(pause)
			pause = min(2*pause, longestPause)
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-k.wake:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// about returns a part of a pause, by chance: hosts must not come back together.
func (k *Keeper) about(pause time.Duration) time.Duration {
	return pause/2 + time.Duration(k.o.Random()*float64(pause/2))
}

// send sends what the server lacks. One that it refuses keeps no other waiting.
func (k *Keeper) send(ctx context.Context) error {
	target, enrolled := k.o.Target()
	if !enrolled {
		return nil
	}
	var done []api.Receipt
	var failed error
	fresh := 0 // refused for the first time
	for _, r := range k.unsent(target.URL) {
		err := k.post(ctx, target, r)
		if err == nil {
			done = append(done, r)
			continue
		}
		failed = err
		if !errors.Is(err, errRefused) {
			break
		}
		if k.refuse(target.URL, r) {
			fresh++
		}
	}
	if fresh > 0 {
		k.o.Log.Warn("the server refuses receipts of the notice; they are sent again, after pauses of up to a day", "receipts", fresh, "error", failed)
	}
	return errors.Join(k.sent(target.URL, done), failed)
}

func (k *Keeper) post(ctx context.Context, t outbound.Target, r api.Receipt) error {
	body, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encoding a receipt: %w", err)
	}
	req, err := t.Request(ctx, http.MethodPost, "api/receipts", body)
	if err != nil {
		return err
	}
	res, err := k.o.Client.Do(req)
	if err != nil {
		return fmt.Errorf("sending a receipt: %w", err)
	}
	defer func() { _ = res.Body.Close() }()                             // only read
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, maxReplyBytes)) // so that the connection can be used again
	switch res.StatusCode {
	case http.StatusNoContent:
		return nil
	case http.StatusBadRequest, http.StatusNotFound, http.StatusUnprocessableEntity:
		return fmt.Errorf("sending a receipt: %w (HTTP status %d)", errRefused, res.StatusCode)
	}
	return fmt.Errorf("sending a receipt: the server answers %d", res.StatusCode)
}
