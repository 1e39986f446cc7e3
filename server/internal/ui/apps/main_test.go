package apps_test

import (
	"os"
	"testing"

	"activity-tracker.example/server/internal/servertest"
)

func TestMain(m *testing.M) { os.Exit(servertest.Cluster{M: m}.Run()) }
