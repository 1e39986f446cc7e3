package localpg

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// What PostgreSQL gets of the machine, which it shares with the server and perhaps
// with much else. What was measured is in bench/RESULTS.md.
const (
	mib = 1 << 20
	gib = 1 << 30
	// buffersPart is what part of memory its buffers are: what PostgreSQL's own
	// documentation recommends. Memory is taken as data comes into them, so an empty
	// database of a large machine takes some 1 % of it.
	buffersPart = 4
	// leastBuffers and mostBuffers bound them, in bytes: on 512 MB there are
	// PostgreSQL's usual 128 MB, and 2 GB hold what 100,000 machines write to.
	leastBuffers = 32 * mib
	mostBuffers  = 2 * gib
	// unknownBuffers are PostgreSQL's own default, where memory is not known.
	unknownBuffers = 128 * mib
	// logPart is what part of the file system the log may take between two
	// checkpoints, within leastLog, PostgreSQL's own default, and mostLog, with
	// which a day's backlog of some hundred hosts makes no checkpoint early. It
	// grows only as far as it is needed.
	logPart  = 20
	leastLog = gib
	mostLog  = 4 * gib
	// compression is the setting that compresses pages in the log, which shortens it.
	compression = "wal_compression"
	// checkTimeout bounds asking the program for a setting.
	checkTimeout = 10 * time.Second
)

// sizes are settings that depend on the machine, from its memory and the size of the
// file system, both in bytes and zero where they are not known.
func sizes(memory, disk int64) []string {
	buffers := int64(unknownBuffers)
	if memory > 0 {
		buffers = min(max(memory/buffersPart, leastBuffers), mostBuffers)
	}
	log := min(max(disk/logPart, leastLog), mostLog)
	return []string{
		fmt.Sprintf("shared_buffers=%dMB", buffers/mib),
		fmt.Sprintf("max_wal_size=%dMB", log/mib),
		// A page is logged whole at its first change after each: so three times
		// less often than by default.
		"checkpoint_timeout=15min",
	}
}

// sizing are the settings for this machine.
func (s *Server) sizing(ctx context.Context) []string {
	memory, err := Memory()
	if err != nil {
		s.opts.Log.Debug("sizing the private PostgreSQL without it", "error", err)
	}
	var fs unix.Statfs_t
	disk := int64(0)
	if unix.Statfs(s.base, &fs) == nil {
		disk = int64(fs.Blocks) * fs.Bsize
	}
	set := sizes(memory, disk)
	if s.takes(ctx, compression, "lz4") {
		set = append(set, compression+"=lz4")
	}
	return set
}

// takes reports whether the program takes a setting, since it would not start with one
// that it was built without.
func (s *Server) takes(ctx context.Context, name, value string) bool {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	return s.command(ctx, s.binary("postgres"), "-D", s.path("data"), "-c", name+"="+value, "-C", name).Run() == nil
}
