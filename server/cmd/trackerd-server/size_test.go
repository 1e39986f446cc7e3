package main

import "testing"

func TestSizeText(t *testing.T) {
	for size, want := range map[int64]string{
		0: "0.0 KiB", 512: "0.5 KiB", 1023 * kib: "1023.0 KiB", mib: "1.0 MiB", 12_345_678: "11.8 MiB",
		gib: "1.0 GiB", 5 * gib / 2: "2.5 GiB", 3 * tib: "3.0 TiB",
	} {
		if got := sizeText(size); got != want {
			t.Errorf("%d: %s, want %s", size, got, want)
		}
	}
}
