package hostid

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"activity-tracker.example/hostd/durable"
)

const (
	// maxNameFile bounds what is read of the file with a host's name, in bytes: an
	// id and the longest name that the kernel takes fit many times.
	maxNameFile = 4 << 10
	// nameMode: it holds nothing that 'hostname' does not print.
	nameMode = 0o644
)

// named is under which name the host with an id is known.
type named struct {
	HostID   string `json:"host_id"`
	Hostname string `json:"hostname"`
}

// KeepName returns the name that stands for the host of this id in machine_ids: the
// one that it had when it was first asked, which the file at path keeps, or else
// hostname. A host that is renamed is the same host, and whoever works there the
// same account. Where the name cannot be kept, the error comes with it.
func KeepName(path string, id ID, hostname string) (string, error) {
	kept, err := readName(path)
	switch {
	case err == nil && kept.HostID == id.String() && kept.Hostname != "":
		return kept.Hostname, nil
	case err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, errDamagedName):
		return hostname, err
	}
	// None yet, or that of the machine that this one was cloned from.
	data, err := json.Marshal(named{HostID: id.String(), Hostname: hostname})
	if err != nil {
		return hostname, fmt.Errorf("encode the host's name: %w", err)
	}
	if err := durable.WriteFile(path, append(data, '\n'), nameMode); err != nil {
		return hostname, fmt.Errorf("keep the host's name: %w", err)
	}
	return hostname, nil
}

// errDamagedName is returned where the file is not what KeepName wrote.
var errDamagedName = errors.New("the file with the host's name is damaged")

func readName(path string) (named, error) {
	f, err := os.Open(path)
	if err != nil {
		return named{}, fmt.Errorf("read the host's name: %w", err)
	}
	defer func() { _ = f.Close() }() // only read from: closing can lose nothing
	data, err := io.ReadAll(io.LimitReader(f, maxNameFile))
	if err != nil {
		return named{}, fmt.Errorf("read the host's name: %w", err)
	}
	var n named
	if json.Unmarshal(data, &n) != nil {
		return named{}, errDamagedName
	}
	return n, nil
}
