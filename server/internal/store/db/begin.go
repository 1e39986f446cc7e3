package db

import "strings"

// Begin is what a transaction begins with, in the message that begins it: one of its own
// would take as long again.
type Begin string

// Partitions of these tables are kept from being dropped. They are locked before the state
// is fixed that the transaction sees: else one could go whose rows it does not see packed
// yet.
const (
	KeepEvents  Begin = "LOCK TABLE ONLY event IN ACCESS SHARE MODE"
	KeepRollups Begin = "LOCK TABLE ONLY rollup IN ACCESS SHARE MODE"
)

// CloseMonths has closings of months, and erasing people of closed ones, follow each other.
const CloseMonths Begin = "LOCK TABLE month_person IN SHARE ROW EXCLUSIVE MODE"

// PlanOnce is for statements whose plan is the same for all arguments: by default
// PostgreSQL guesses from their first few whether planning anew is worth its time.
const PlanOnce Begin = "SET LOCAL " + planMode + " = force_generic_plan"

func beginSQL(with []Begin) string {
	var sql strings.Builder
	for _, w := range with {
		sql.WriteString(";" + string(w))
	}
	return sql.String()
}
