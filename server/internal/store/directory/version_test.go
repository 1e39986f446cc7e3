package directory

import "testing"

func TestVersionsInOrder(t *testing.T) {
	inOrder := []string{"0.1.0~20261101.000000.gabc", "0.1.0~20261130.052334.g1", "0.1.0", "0.1.0a", "0.1.0+b", "0.1.0-1", "0.1.1", "0.2", "0.10", "1", "1.2~rc1", "1.2", "1.2.0.1", "99999999999999999999", "100000000000000000000"}
	for i, a := range inOrder {
		for j, b := range inOrder {
			if got := isOlder(a, b); got != (i < j) {
				t.Errorf("%s older than %s: %v", a, b, got)
			}
		}
	}
	if isOlder("1.01", "1.1") || isOlder("1.1", "1.01") {
		t.Error("zeros before a number")
	}
	for _, odd := range []string{"development", "", "~1"} {
		if isOlder(odd, "9") || isOlder("1", odd) {
			t.Errorf("%q is compared", odd)
		}
	}
	if got := newestVersion([]string{"0.9", "development", "0.10", "", "0.2"}); got != "0.10" {
		t.Errorf("the newest is %q", got)
	}
	if got := newestVersion([]string{"development"}); got != "" {
		t.Errorf("the newest is %q", got)
	}
}
