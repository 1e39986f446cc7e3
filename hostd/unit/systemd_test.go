package unit

import (
	"context"
	"errors"
	"testing"
)

// One that is one too many is not even sent to systemd.
func TestStartWaitsForItsTurn(t *testing.T) {
	s := NewSystemd()
	defer s.Close()
	for range startsAtOnce {
		s.starts <- struct{}{}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Start(ctx, Unit{Name: "trackerd-session-c1.service"}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
