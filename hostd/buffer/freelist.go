package buffer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"

	bolt "go.etcd.io/bbolt"
)

// The parts of bbolt's file format (version 2) that checkFreelist reads, in
// bytes: a page's header, and in it the flags, the count and the overflow; the
// meta data after the header of pages 0 and 1, up to its checksum.
const (
	pageHeader    = 16
	pageFlags     = 8
	pageCount     = 10
	pageOverflow  = 12
	metaBytes     = 64
	metaFreelist  = 32
	metaTxid      = 48
	metaChecksum  = 56
	freelistFlag  = 0x10
	countInFirst  = 0xffff // the real count is the first entry
	noFreelist    = ^uint64(0)
	freelistEntry = 8
)

// checkFreelist looks at the one length in a bbolt file that is believed
// without a check: with a damaged list of free pages, opening the file asks
// for all memory, and that ends a process without a panic.
func (b *Buffer) checkFreelist() error {
	db, file, err := openBolt(b.path, &bolt.Options{ReadOnly: true, Timeout: b.o.LockTimeout})
	if err != nil {
		return err
	}
	defer db.Close()
	size := int64(db.Info().PageSize)
	page, ok := newestFreelist(file, size)
	if !ok {
		return nil // bbolt itself checks its meta data
	}
	head := make([]byte, pageHeader+freelistEntry)
	if _, err := file.ReadAt(head, int64(page)*size); errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: the list of free pages is beyond its end", errDamaged)
	} else if err != nil {
		return fmt.Errorf("reading the list of free pages: %w", err)
	}
	if binary.NativeEndian.Uint16(head[pageFlags:]) != freelistFlag {
		return fmt.Errorf("%w: there is no list of free pages", errDamaged)
	}
	count := uint64(binary.NativeEndian.Uint16(head[pageCount:]))
	if count == countInFirst {
		count = binary.NativeEndian.Uint64(head[pageHeader:])
	}
	pages := uint64(binary.NativeEndian.Uint32(head[pageOverflow:])) + 1
	info, err := file.Stat()
	if err != nil {
		return fmt.Errorf("looking at it: %w", err)
	}
	if room := min(pages*uint64(size), uint64(info.Size())); count > room/freelistEntry {
		return fmt.Errorf("%w: its list of free pages claims %d entries", errDamaged, count)
	}
	return nil
}

// newestFreelist is the page of the list of free pages that bbolt will read.
func newestFreelist(file io.ReaderAt, size int64) (page uint64, ok bool) {
	var newest uint64
	for i := range int64(2) {
		m := make([]byte, metaBytes)
		if _, err := file.ReadAt(m, i*size+pageHeader); err != nil {
			continue
		}
		h := fnv.New64a()
		_, _ = h.Write(m[:metaChecksum]) // a hash never fails
		txid := binary.NativeEndian.Uint64(m[metaTxid:])
		if binary.NativeEndian.Uint64(m[metaChecksum:]) != h.Sum64() || ok && txid < newest {
			continue
		}
		newest, page, ok = txid, binary.NativeEndian.Uint64(m[metaFreelist:]), true
	}
	return page, ok && page != noFreelist
}
