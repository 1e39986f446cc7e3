package assign_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"activity-tracker.example/server/internal/assign"
	"activity-tracker.example/server/internal/store/people"
)

// read returns what a file asks for, or what is wrong with which line.
func read(file string) ([]people.Assignment, error) {
	rows, err := assign.FromCSV([]byte(file))
	if err != nil {
		return nil, err
	}
	list, err := assign.Assignments(rows)
	var wrong assign.RowError
	if errors.As(err, &wrong) {
		err = fmt.Errorf("line %d: %w", rows[wrong.At].Line, wrong)
	}
	return list, err
}

func TestReadAssignments(t *testing.T) {
	want := []people.Assignment{
		{Label: "Анна", MachineIDs: []string{"m1", "m3"}}, {ID: 17, MachineIDs: []string{"m2"}},
	}
	for _, file := range []string{
		"machine_id,person\nm1,Анна\nm2,p17\nm3, Анна \n",
		"\ufeffperson;room;machine_id\r\nАнна;1;m1\r\np17;;m2\r\n\"Анна\";2;m3\r\n",
	} {
		if got, err := read(file); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v, %v", got, err)
		}
	}
	overlong := "machine_id,person\nm1," + strings.Repeat("x", 257)
	for file, wrong := range map[string]string{
		"":                                    "header row",
		"machine_id,name\nm1,Anna\n":          "columns machine_id and person",
		"machine_id,person\nm1,A\nm1,B\n":     "line 3: the machine_id \"m1\" is there twice",
		"machine_id,person\n,A\n":             "line 2: no machine_id",
		"machine_id,person\nm1,\n":            "line 2: person",
		"machine_id,person\nm1,A,x\n":         "wrong number of fields",
		"machine_id,person\nm1,\"A\u0007\"\n": "line 2: person",
		overlong:                              "at most 256 bytes",
	} {
		if _, err := read(file); err == nil || !strings.Contains(err.Error(), wrong) {
			t.Errorf("%q: %v, want %s", file, err, wrong)
		}
	}
}
