package events_test

import (
	"testing"

	"activity-tracker.example/server/internal/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }
