// Package assign reads whose accounts are to be: rows of a machine_id and a person, who is
// named by id or by what they are called.
package assign

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/report"
	"activity-tracker.example/server/internal/store/people"
	"activity-tracker.example/server/internal/text"
)

// Row is whose one account is to be.
type Row struct {
	api.AccountOwner

	// Line is where it stands in a file.
	Line int
}

// RowError is what is wrong with a row.
type RowError struct {
	// At is its place, from 0.
	At  int
	Err error
}

// Error returns what is wrong.
func (e RowError) Error() string { return e.Err.Error() }

// Unwrap returns it as it is.
func (e RowError) Unwrap() error { return e.Err }

// FromCSV reads a CSV file with the columns machine_id and person, parted by commas or
// semicolons.
func FromCSV(raw []byte) (rows []Row, err error) {
	raw = bytes.TrimPrefix(raw, []byte("\ufeff"))
	r := csv.NewReader(bytes.NewReader(raw))
	first, _, _ := bytes.Cut(raw, []byte("\n"))
	if bytes.ContainsRune(first, ';') {
		r.Comma = ';'
	}
	header, err := r.Read()
	if err != nil {
		return nil, fmt.Errorf("the header row: %w", err)
	}
	machine, person := slices.Index(header, "machine_id"), slices.Index(header, "person")
	if machine < 0 || person < 0 {
		return nil, errors.New("want a header row with the columns machine_id and person")
	}
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return nil, err
		}
		line, _ := r.FieldPos(machine)
		rows = append(rows, Row{api.AccountOwner{MachineID: row[machine], Person: strings.TrimSpace(row[person])}, line})
	}
}

// Assignments are rows by the person, in the order in which people are first named; or what is
// wrong, as a RowError.
func Assignments(rows []Row) ([]people.Assignment, error) {
	c := collected{place: map[string]int{}, seen: map[string]bool{}}
	for i, row := range rows {
		if err := c.add(row.MachineID, row.Person); err != nil {
			return nil, RowError{i, err}
		}
	}
	return c.list, nil
}

// collected are assignments in the order in which people are first named.
type collected struct {
	list  []people.Assignment
	place map[string]int
	seen  map[string]bool
}

func (c *collected) add(machineID, person string) error {
	switch {
	case machineID == "" || len(machineID) > api.MaxMachineIDBytes || !text.Printable(machineID):
		return errors.New("no machine_id")
	case person == "" || len(person) > api.MaxLabelBytes || !text.Printable(person):
		return fmt.Errorf("person: want an id or a name, at most %d bytes of printable characters", api.MaxLabelBytes)
	case c.seen[machineID]:
		return fmt.Errorf("the machine_id %q is there twice", text.ForTerminal(machineID))
	}
	c.seen[machineID] = true
	at, known := c.place[person]
	if !known {
		at = len(c.list)
		c.place[person] = at
		a := people.Assignment{Label: person}
		if id, err := report.ParsePersonID(person); err == nil {
			a = people.Assignment{ID: int64(id)}
		}
		c.list = append(c.list, a)
	}
	c.list[at].MachineIDs = append(c.list[at].MachineIDs, machineID)
	return nil
}
