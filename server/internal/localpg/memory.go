package localpg

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
)

// Memory is how much there is for us and a PostgreSQL beside us, in bytes: that of
// the machine, or less where a control group that we are in has a limit.
func Memory() (int64, error) { return memory(os.DirFS("/")) }

func memory(root fs.FS) (int64, error) {
	text, err := fs.ReadFile(root, "proc/meminfo")
	if err != nil {
		return 0, fmt.Errorf("asking how much memory there is: %w", err)
	}
	least := int64(0)
	lines := bufio.NewScanner(strings.NewReader(string(text)))
	for lines.Scan() {
		if fields := strings.Fields(lines.Text()); len(fields) == 3 && fields[0] == "MemTotal:" {
			kib, err := strconv.ParseInt(fields[1], 10, 64)
			if err != nil {
				return 0, fmt.Errorf("reading how much memory there is: %w", err)
			}
			least = kib << 10
		}
	}
	if least == 0 {
		return 0, errors.New("the kernel does not tell how much memory there is")
	}
	return groupLimit(root, least), nil
}

// groupLimit is the least of the limits of our control group and those around it
// (version 2), if that is less. What can't be read is no limit: a container sees
// its own group as the root, or none.
func groupLimit(root fs.FS, least int64) int64 {
	text, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return least
	}
	for line := range strings.Lines(string(text)) {
		group, ours := strings.CutPrefix(strings.TrimSpace(line), "0::/")
		for ours {
			limit, err := fs.ReadFile(root, path.Join("sys/fs/cgroup", group, "memory.max"))
			if n, numErr := strconv.ParseInt(strings.TrimSpace(string(limit)), 10, 64); err == nil && numErr == nil && n > 0 {
				least = min(least, n)
			}
			if group == "" || group == "." {
				break
			}
			group = path.Dir(group)
		}
	}
	return least
}
