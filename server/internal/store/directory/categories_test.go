package directory_test

import (
	"fmt"
	"strings"
	"testing"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/storetest"
)

func TestCategoriesAreReplacedOnce(t *testing.T) {
	url := storetest.NewDatabase(t)
	stores := []*storetest.Store{storetest.Unprepared(t, url), storetest.Unprepared(t, url)}
	for _, s := range stores {
		if err := s.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	const writers = 8
	done := make(chan error, writers)
	for i := range writers {
		go func() {
			_, err := stores[i%2].SetCategories(t.Context(), []api.Category{{Name: fmt.Sprint(i)}}, []int64{0})
			done <- err
		}()
	}
	won := 0
	for range writers {
		if err := <-done; err == nil {
			won++
		} else if !strings.Contains(err.Error(), directory.ErrCategoriesChanged.Error()) {
			t.Error(err)
		}
	}
	if list, err := stores[0].Categories(t.Context()); err != nil || won != 1 || list.Version != 1 || len(list.Categories) != 1 {
		t.Errorf("%d won, %+v, %v", won, list, err)
	}
}
