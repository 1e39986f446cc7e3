package api

// CheckResult is how one check of a doctor ended.
type CheckResult string

// The results of a check.
const (
	CheckOK      CheckResult = "ok"
	CheckWarning CheckResult = "warning" // it works, but somebody should look
	CheckFailed  CheckResult = "failed"
	CheckSkipped CheckResult = "skipped" // unknown until another problem is mended
)

// Check is one thing that a doctor looked at. trackctl doctor and trackerd-server
// doctor print the same fields and words.
type Check struct {
	// Name is stable, for scripts.
	Name   string      `json:"name"`
	Result CheckResult `json:"result"`
	// Detail is what was found.
	Detail string `json:"detail"`
	// Advice is what to do about it; empty where there is nothing to do.
	Advice string `json:"advice,omitempty"`
}

// CheckReport is all that a doctor found, as --json prints it.
type CheckReport struct {
	// OK is true where no check failed; a warning is no failure.
	OK     bool    `json:"ok"`
	Checks []Check `json:"checks"`
}

// NewCheckReport returns the report of these checks.
func NewCheckReport(checks []Check) CheckReport {
	r := CheckReport{OK: true, Checks: checks}
	for _, c := range checks {
		r.OK = r.OK && c.Result != CheckFailed
	}
	return r
}
