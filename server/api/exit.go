package api

// Exit codes. Each has one meaning in all programs, which scripts and units rely on.
// The helpers of a session have their own copy of those that they use, and two more:
// 69 and 76. 2 is none of ours: Go's runtime ends a program with it that crashed.
const (
	// ExitOK: done, or ended when asked to.
	ExitOK = 0
	// ExitFailed: something was tried and failed, or a check found a problem.
	ExitFailed = 1
	// ExitNotRunning: trackerd is not running.
	ExitNotRunning = 3
	// ExitNotPermitted: the caller may not do this.
	ExitNotPermitted = 4
	// ExitUsage: the command line is wrong; nothing was tried. EX_USAGE of sysexits.h.
	ExitUsage = 64
	// ExitConfig: the configuration, a file's or the environment's, is wrong, and
	// starting again changes nothing before a person has corrected it. EX_CONFIG.
	ExitConfig = 78
)
