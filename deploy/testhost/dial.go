package testhost

import (
	"context"
	"fmt"
	"net"
	"net/netip"

	"activity-tracker.example/testhost/internal/netns"
)

// DialContext connects to an address as a program on the host would: one on
// loopback is the host's own. It fits http.Transport.
func (h *Host) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	// A name would be looked up on another thread, outside.
	if _, err := netip.ParseAddrPort(addr); err != nil {
		return nil, fmt.Errorf("dial on the test host: %w", err)
	}
	var conn net.Conn
	err := netns.In(h.host, func() (err error) {
		conn, err = (&net.Dialer{}).DialContext(ctx, network, addr)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("dial on the test host: %w", err)
	}
	return conn, nil
}
