package account

import (
	"fmt"
	"html/template"
	"strings"

	"rsc.io/qr"

	"activity-tracker.example/server/api"
)

const (
	// quiet is the margin that a QR code needs to be found, in its squares.
	quiet = 4
	// halves is how many characters of a secret stand together for who types it.
	halves = 4
)

// code is a QR code as a path of squares.
type code struct {
	Size int
	Path string
}

// deviceOf is what a device is to know, in three ways.
func deviceOf(s api.SecondStep) (*device, error) {
	drawn, err := draw(s.URI)
	if err != nil {
		return nil, err
	}
	var secret strings.Builder
	for i, r := range s.Secret {
		if i > 0 && i%halves == 0 {
			secret.WriteByte(' ')
		}
		secret.WriteRune(r)
	}
	d := &device{Secret: secret.String(), QR: drawn}
	if strings.HasPrefix(s.URI, "otpauth://totp/") {
		d.URI = template.URL(s.URI) //nolint:gosec // it is of the API and of that scheme
	}
	return d, nil
}

// draw draws a text as a QR code: a run of black squares in a row is a piece of the path.
func draw(text string) (*code, error) {
	c, err := qr.Encode(text, qr.M)
	if err != nil {
		return nil, fmt.Errorf("drawing a QR code: %w", err)
	}
	var b strings.Builder
	for y := range c.Size {
		for x := 0; x < c.Size; x++ {
			from := x
			for x < c.Size && c.Black(x, y) {
				x++
			}
			if x > from {
				fmt.Fprintf(&b, "M%d %dh%dv1h-%dz", from+quiet, y+quiet, x-from, x-from)
			}
		}
	}
	return &code{Size: c.Size + 2*quiet, Path: b.String()}, nil
}
