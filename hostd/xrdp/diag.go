package xrdp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// replyBytes is how much of the list is read at once: the kernel sends at
	// most 32 KiB in a piece.
	replyBytes = 64 << 10
	// listTimeout bounds reading a list: a million sockets take about a second.
	listTimeout = 5 * time.Second
)

// The kernel's interface (linux/unix_diag.h, linux/inet_diag.h, linux/sock_diag.h), of
// which x/sys/unix has no structures.
const (
	diagByFamily     = 20 // SOCK_DIAG_BY_FAMILY
	stateEstablished = 1  // as TCP's
	showFile         = 2  // UDIAG_SHOW_VFS
	attrFile         = 1  // UNIX_DIAG_VFS
	requestBytes     = 24
	entryBytes       = 16
	fileBytes        = 8 // inode and device

	stateListen      = 10 // TCP_LISTEN
	inetSocketBytes  = 48 // inet_diag_sockid
	inetRequestBytes = 8 + inetSocketBytes
	inetEntryBytes   = 72
	inetPort         = 4 // the local port in an entry, most significant byte first
	inetUID          = 64
)

var errList = errors.New("the kernel's list of sockets makes no sense")

// connectedFiles lists the files on a device to which stream sockets that have
// a peer are bound.
func connectedFiles(device uint32) (map[file]bool, error) {
	found := make(map[file]bool)
	err := dump(request(), func(entry []byte) {
		if f, ok := boundFile(entry); ok && f.device == device {
			found[f] = true
		}
	})
	return found, err
}

// readListeners lists who listens on TCP ports.
func readListeners() (listeners, error) {
	found := make(listeners)
	for _, family := range []byte{unix.AF_INET, unix.AF_INET6} {
		err := dump(requestListeners(family), func(entry []byte) {
			if len(entry) >= inetEntryBytes {
				found.add(binary.BigEndian.Uint16(entry[inetPort:]), binary.NativeEndian.Uint32(entry[inetUID:]))
			}
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// dump asks the kernel for a list of sockets, and hands on each entry of it.
func dump(request []byte, take func(entry []byte)) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("look for RDP clients: %w", err)
		}
	}()
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return fmt.Errorf("open a netlink socket: %w", err)
	}
	defer func() { _ = unix.Close(fd) }()
	limit := unix.NsecToTimeval(int64(listTimeout))
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit); err != nil {
		return fmt.Errorf("bound a netlink socket: %w", err)
	}
	if err := unix.Sendto(fd, request, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return fmt.Errorf("ask for the list of sockets: %w", err)
	}
	buf := make([]byte, replyBytes)
	for until := time.Now().Add(listTimeout); time.Now().Before(until); {
		n, _, err := unix.Recvfrom(fd, buf, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return fmt.Errorf("read the list of sockets: %w", err)
		}
		done, err := parse(buf[:n], take)
		if done || err != nil {
			return err
		}
	}
	return errors.New("the list of sockets does not end")
}

// head begins a request for a list.
func head(bytes uint32) []byte {
	b := binary.NativeEndian.AppendUint32(nil, unix.NLMSG_HDRLEN+bytes)
	b = binary.NativeEndian.AppendUint16(b, diagByFamily)
	b = binary.NativeEndian.AppendUint16(b, unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	return append(b, make([]byte, 8)...) // sequence and port: one request, one socket
}

// requestListeners asks for every TCP socket of a family that listens.
func requestListeners(family byte) []byte {
	b := append(head(inetRequestBytes), family, unix.IPPROTO_TCP, 0, 0)
	b = binary.NativeEndian.AppendUint32(b, 1<<stateListen)
	return append(b, make([]byte, inetSocketBytes)...) // of any address
}

// request asks for every unix socket with a peer, and the file of each.
func request() []byte {
	b := append(head(requestBytes), unix.AF_UNIX, 0, 0, 0)
	b = binary.NativeEndian.AppendUint32(b, 1<<stateEstablished)
	b = binary.NativeEndian.AppendUint32(b, 0) // of any inode
	b = binary.NativeEndian.AppendUint32(b, showFile)
	return append(b, make([]byte, 8)...) // no cookie
}

// parse hands on the entries of one piece of a list. done is set for the last one.
func parse(b []byte, take func(entry []byte)) (done bool, err error) {
	for len(b) > 0 {
		if len(b) < unix.NLMSG_HDRLEN {
			return false, errList
		}
		n := int(binary.NativeEndian.Uint32(b))
		if n < unix.NLMSG_HDRLEN || n > len(b) {
			return false, errList
		}
		body := b[unix.NLMSG_HDRLEN:n]
		switch binary.NativeEndian.Uint16(b[4:]) {
		case unix.NLMSG_DONE:
			return true, nil
		case unix.NLMSG_ERROR:
			if len(body) < 4 {
				return false, errList
			}
			errno := int32(binary.NativeEndian.Uint32(body))
			return false, fmt.Errorf("the kernel refuses the list of sockets: %w", unix.Errno(-errno))
		case diagByFamily:
			take(body)
		}
		b = b[min((n+unix.NLMSG_ALIGNTO-1)&^(unix.NLMSG_ALIGNTO-1), len(b)):]
	}
	return false, nil
}

// boundFile takes the file out of a stream socket's entry.
func boundFile(entry []byte) (f file, ok bool) {
	if len(entry) < entryBytes || entry[1] != unix.SOCK_STREAM || entry[2] != stateEstablished {
		return f, false
	}
	const attrHead = 4
	for rest := entry[entryBytes:]; len(rest) >= attrHead; {
		n := int(binary.NativeEndian.Uint16(rest))
		if n < attrHead || n > len(rest) {
			return f, false
		}
		if binary.NativeEndian.Uint16(rest[2:]) == attrFile && n >= attrHead+fileBytes {
			return file{binary.NativeEndian.Uint32(rest[4:]), binary.NativeEndian.Uint32(rest[8:])}, true
		}
		rest = rest[min((n+3)&^3, len(rest)):]
	}
	return f, false
}
