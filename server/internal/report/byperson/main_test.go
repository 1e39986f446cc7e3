package byperson_test

import (
	"os"
	"testing"

	"activity-tracker.example/server/internal/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }
