package servertest

import (
	"fmt"
	"strings"
	"time"
)

// allUTC finds a time that is not written in UTC, as the description promises of all.
func allUTC(v any) error {
	switch v := v.(type) {
	case string:
		if _, err := time.Parse(time.RFC3339, v); err == nil && !strings.HasSuffix(v, "Z") {
			return fmt.Errorf("%s is not UTC", v)
		}
	case []any:
		for _, each := range v {
			if err := allUTC(each); err != nil {
				return err
			}
		}
	case map[string]any:
		for _, each := range v {
			if err := allUTC(each); err != nil {
				return err
			}
		}
	}
	return nil
}
