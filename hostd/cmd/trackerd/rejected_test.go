package main

import (
	"log/slog"
	"path/filepath"
	"testing"

	"activity-tracker.example/hostd/buffer"
	"activity-tracker.example/hostd/control"
	"activity-tracker.example/hostd/upload"
)

// TestRejectedOfOnePerson: a person sees their own rejected records and nobody
// else's, whatever is in the others.
func TestRejectedOfOnePerson(t *testing.T) {
	b, err := buffer.Open(filepath.Join(t.TempDir(), "b"), buffer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	d := &daemon{log: slog.New(slog.DiscardHandler), buffer: b, uploader: upload.New(b, nil, upload.Options{})}
	var refused []buffer.Refusal
	err = b.Update(func(tx *buffer.Tx) error {
		for i, event := range []string{
			`{"machine_id":"vm-1-ann","username":"ann","timestamp":"2026-11-22T12:00:00Z"}`,
			`{"machine_id":"vm-1-nobody","username":"nobody","timestamp":"never"}`,
			`{"machine_id":"vm-1-nobody","username":"nobody","timestamp":"2026-11-22T12:00:00Z"}`, `"what is this"`, `{}`,
		} {
			refused = append(refused, buffer.Refusal{Place: buffer.Place{Seq: uint64(i + 1)}, Code: "too_long"})
			if err := tx.Enqueue([]byte(event)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Settle(nil, refused); err != nil {
		t.Fatal(err)
	}
	list, err := d.Rejected(t.Context(), 10, new(uint32(65534)))
	if err != nil || len(list.Rejected) != 1 || list.Rejected[0].MachineID != "vm-1-nobody" || list.Rejected[0].Timestamp == nil {
		t.Errorf("nobody sees %+v, %v", list, err)
	}
	if all, err := d.Rejected(t.Context(), 4, nil); err != nil || len(all.Rejected) != 4 {
		t.Errorf("root sees %+v, %v", all, err)
	}
	if _, err := d.Rejected(t.Context(), 10, new(uint32(4_000_000_000))); err == nil {
		t.Error("somebody who does not exist is answered")
	}
	if h, err := d.Drop(t.Context(), control.Selection{IDs: []uint64{list.Rejected[0].ID}}); err != nil || h.Rejected != 1 || b.Status().DeadKept != 4 {
		t.Errorf("dropped %+v, %v, left %+v", h, err, b.Status())
	}
}
