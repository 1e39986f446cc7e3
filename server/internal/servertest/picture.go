package servertest

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"net/http"
	"net/url"
	"testing"
	"time"

	"activity-tracker.example/server/api"
)

// Picture returns a JPEG as hosts make them.
func Picture(tb testing.TB, width, height int) []byte {
	tb.Helper()
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	for i := range width {
		img.Set(i, i%height, color.RGBA{R: byte(i), G: byte(i * 7), B: byte(i * 13), A: 255})
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, nil); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// ShotPath is where a host sends a picture.
func ShotPath(machine string, takenAt time.Time, kind string) string {
	q := url.Values{"machine_id": {machine}, "taken_at": {takenAt.UTC().Format(time.RFC3339)}, "kind": {kind}}
	return "/api/screenshots?" + q.Encode()
}

// Shoot sends a picture of a machine, which is added, and returns its id.
func (b *Bench) Shoot(credential, machine string, takenAt time.Time) string {
	b.T.Helper()
	var got api.ScreenshotAdded
	b.Do(http.MethodPost, ShotPath(machine, takenAt.Truncate(time.Second), "blurred"), credential, Picture(b.T, 120, 67), "Content-Type", "image/jpeg").
		Wants(http.StatusCreated, &got)
	return got.ID
}
