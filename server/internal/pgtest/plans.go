package pgtest

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Plan is a statement that was executed, and a node of the plan that it was
// executed by, with those below it.
type Plan struct {
	Query string
	Node
}

// Node is a node of a plan.
type Node struct {
	Type     string `json:"Node Type"`
	Relation string `json:"Relation Name"`
	// What rows are found by, or joined on.
	IndexCond   string `json:"Index Cond"`
	RecheckCond string `json:"Recheck Cond"`
	Filter      string `json:"Filter"`
	HashCond    string `json:"Hash Cond"`
	MergeCond   string `json:"Merge Cond"`
	JoinFilter  string `json:"Join Filter"`
	Plans       []Node `json:"Plans"`
}

// planLog is the name of the log with plans, less its ending.
const planLog = "plans"

// StartRecorded is Start for a cluster that notes the plan of every statement.
func StartRecorded(tb testing.TB) *Cluster {
	tb.Helper()
	c := newCluster(tb, []string{
		"session_preload_libraries=auto_explain", "auto_explain.log_min_duration=0", "auto_explain.log_format=json",
		"auto_explain.log_nested_statements=on", "logging_collector=on", "log_destination=jsonlog", "log_filename=" + planLog,
		"log_rotation_size=0", "log_rotation_age=0",
	})
	c.settings = append(c.settings, "log_directory="+c.dir)
	c.make()
	return c
}

// Plans are those of all statements that ended well so far.
func (c *Cluster) Plans() []Plan {
	c.tb.Helper()
	text, err := os.ReadFile(filepath.Join(c.dir, planLog+".json"))
	if err != nil {
		c.tb.Fatal(err)
	}
	var plans []Plan
	for line := range bytes.Lines(text) {
		var entry struct{ Message string }
		if err := json.Unmarshal(line, &entry); err != nil {
			c.tb.Fatalf("%v: %s", err, line)
		}
		_, plan, ok := strings.Cut(entry.Message, "plan:\n")
		if !ok {
			continue
		}
		var said struct {
			Query string `json:"Query Text"`
			Plan  Node
		}
		if err := json.Unmarshal([]byte(plan), &said); err != nil {
			c.tb.Fatalf("%v: %s", err, plan)
		}
		plans = append(plans, Plan{said.Query, said.Plan})
	}
	return plans
}
