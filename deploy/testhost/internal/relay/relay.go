// Package relay copies what two connections send to each other.
package relay

import (
	"io"
	"net"
	"sync"
)

// Both copies both ways until both ends are done. The caller closes them.
func Both(a, b net.Conn) {
	var wg sync.WaitGroup
	wg.Go(func() { oneWay(a, b) })
	wg.Go(func() { oneWay(b, a) })
	wg.Wait()
}

// oneWay copies one direction and passes its end on.
func oneWay(dst, src net.Conn) {
	_, err := io.Copy(dst, src)
	half, ok := dst.(interface{ CloseWrite() error })
	if err == nil && ok && half.CloseWrite() == nil {
		return
	}
	dst.Close()
	src.Close()
}
