package account

import (
	"fmt"
	"strings"
	"testing"

	"rsc.io/qr"

	"activity-tracker.example/server/api"
)

// The path of a QR code has its black squares, and no other.
func TestQR(t *testing.T) {
	text := "otpauth://totp/Activity%20Tracker:" + strings.Repeat("x", 254) + "?secret=ABCDEFGHIJKLMNOPQRSTUVWXYZ234567&issuer=Activity%20Tracker"
	d, err := deviceOf(api.SecondStep{Secret: "ABCDEFGHIJ", URI: text})
	if err != nil || d.Secret != "ABCD EFGH IJ" || string(d.URI) != text {
		t.Fatal(d, err)
	}
	want, err := qr.Encode(text, qr.M)
	if err != nil {
		t.Fatal(err)
	}
	black := map[[2]int]bool{}
	for piece := range strings.SplitSeq(strings.TrimSuffix(d.QR.Path, "z"), "z") {
		var x, y, n, back int
		if _, err := fmt.Sscanf(piece, "M%d %dh%dv1h-%d", &x, &y, &n, &back); err != nil || n != back {
			t.Fatal(piece, err)
		}
		for i := range n {
			black[[2]int{x + i - quiet, y - quiet}] = true
		}
	}
	for y := range want.Size {
		for x := range want.Size {
			if black[[2]int{x, y}] != want.Black(x, y) {
				t.Fatal(x, y)
			}
		}
	}
	if d.QR.Size != want.Size+2*quiet {
		t.Error(d.QR.Size)
	}
	if d, err := deviceOf(api.SecondStep{URI: "javascript:alert(1)"}); err != nil || d.URI != "" {
		t.Error(d, err)
	}
	if _, err := deviceOf(api.SecondStep{URI: strings.Repeat("x", 5000)}); err == nil {
		t.Error("a code may be of any size")
	}
}
