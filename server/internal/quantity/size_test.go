package quantity

import "testing"

func TestSizeText(t *testing.T) {
	for size, want := range map[int64]string{
		0: "0.0 KiB", 512: "0.5 KiB", 1023 * KiB: "1023.0 KiB", MiB: "1.0 MiB", 12_345_678: "11.8 MiB",
		GiB: "1.0 GiB", 5 * GiB / 2: "2.5 GiB", 3 * TiB: "3.0 TiB",
	} {
		if got := SizeText(size); got != want {
			t.Errorf("%d: %s, want %s", size, got, want)
		}
	}
}
