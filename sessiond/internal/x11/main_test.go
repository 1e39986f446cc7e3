package x11

import (
	"testing"

	"go.uber.org/goleak"
)

// TestMain looks for goroutines that outlive the displays: xgb has five.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
