package plainjpeg

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"slices"
	"testing"
)

// drawn returns a picture as a host makes one.
func drawn(tb testing.TB, width, height int) []byte {
	tb.Helper()
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	for i := range width {
		img.Set(i, i%height, color.RGBA{byte(i), byte(i * 7), byte(i * 13), 255})
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, nil); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// with returns a picture with more in it, at a place.
func with(picture []byte, at int, more ...byte) []byte {
	return slices.Insert(slices.Clone(picture), at, more...)
}

// segment is one of that kind.
func segment(marker byte, body string) []byte {
	return append([]byte{0xFF, marker, byte((len(body) + 2) >> 8), byte(len(body) + 2)}, body...)
}

// at returns where the first segment of a kind begins.
func at(picture []byte, marker byte) int { return bytes.Index(picture, []byte{0xFF, marker}) }

// sized returns a picture whose headers claim another size.
func sized(picture []byte, width, height uint16) []byte {
	p := slices.Clone(picture)
	i := at(p, markerFrame)
	binary.BigEndian.PutUint16(p[i+5:], height)
	binary.BigEndian.PutUint16(p[i+7:], width)
	return p
}

// A picture as hosts make it stays as it is; what is not needed to draw it goes.
func TestWhatIsNotNeededGoes(t *testing.T) {
	picture := drawn(t, 120, 67)
	for name, sent := range map[string][]byte{
		"as it is":                picture,
		"EXIF":                    with(picture, 2, segment(0xE1, "Exif\x00\x00somewhere")...),
		"a comment":               with(picture, 2, segment(markerComment, "<script>")...),
		"after the first segment": with(picture, at(picture, markerFrame), segment(0xEE, "Adobe")...),
		"60,000 bytes":            with(picture, 2, segment(0xEF, string(make([]byte, 60_000)))...),
	} {
		got, err := Read(sent)
		if err != nil || !bytes.Equal(got.Bytes, picture) || got.Width != 120 || got.Height != 67 {
			t.Errorf("%s: %d by %d, %d bytes, %v", name, got.Width, got.Height, len(got.Bytes), err)
		}
	}
}

// What is no picture, or another thing beside, is refused.
func TestRefused(t *testing.T) {
	picture := drawn(t, 120, 67)
	scan := at(picture, markerScan)
	progressive := slices.Clone(picture)
	progressive[at(picture, markerFrame)+1] = 0xC2
	frame := picture[at(picture, markerFrame):at(picture, markerHuffman)]
	for name, sent := range map[string][]byte{
		"nothing":              nil,
		"a PNG":                []byte("\x89PNG\r\n\x1a\n0123456789"),
		"HTML":                 []byte("<!DOCTYPE html><script>alert(1)</script>"),
		"a begin alone":        picture[:2],
		"no frame":             slices.Concat(picture[:2], picture[scan:]),
		"two frames":           with(picture, scan, frame...),
		"progressive":          progressive,
		"cut in its headers":   picture[:scan-5],
		"cut within":           picture[:len(picture)-30],
		"cut before its end":   picture[:len(picture)-1],
		"HTML after it":        append(slices.Clone(picture), "<script>alert(1)</script>"...),
		"a ZIP after it":       append(slices.Clone(picture), "PK\x05\x06"...),
		"two pictures":         append(slices.Clone(picture), picture...),
		"HTML between":         with(picture, scan, []byte("<html>")...),
		"fill bytes":           with(picture, scan, 0xFF),
		"EXIF in the scan":     with(picture, len(picture)-10, segment(0xE1, "Exif")...),
		"a second scan":        with(picture, len(picture)-2, picture[scan:scan+14]...),
		"5 KB of tables":       with(picture, 2, bytes.Repeat(segment(markerQuant, string(make([]byte, 65))), 75)...),
		"a table of text":      with(picture, 2, segment(markerQuant, "<script>")...),
		"a table and text":     with(picture, 2, segment(markerQuant, string(make([]byte, 65))+"<script>")...),
		"codes of text":        with(picture, 2, segment(markerHuffman, "\x00<script>alert(1)</script>")...),
		"an interval of text":  with(picture, 2, segment(markerInterval, "<script>")...),
		"an unknown segment":   with(picture, 2, segment(0xF0, "x")...),
		"arithmetic coding":    with(picture, 2, segment(0xCC, "x")...),
		"no pixels":            sized(picture, 0, 67),
		"a length of nothing":  with(picture, 2, 0xFF, markerComment, 0, 0),
		"a length beyond it":   with(picture[:200], 2, 0xFF, markerComment, 0xFF, 0xFF),
		"only marks of scans":  append(slices.Clone(picture[:scan+14]), 0xFF),
		"a scan of text":       slices.Concat(picture[:scan], segment(markerScan, "<script>"), picture[scan+14:]),
		"cut after its tables": picture[:scan],
	} {
		if got, err := Read(sent); !errors.Is(err, ErrBad) {
			t.Errorf("%s: %+v %v", name, got, err)
		}
	}
}

// A few bytes that claim to be a huge picture are refused by their headers.
func TestBomb(t *testing.T) {
	picture := drawn(t, 16, 16)
	for _, size := range [][2]uint16{{65_535, 65_535}, {2000, 1001}, {1, 0}} {
		got, err := Read(sized(picture, size[0], size[1]))
		if want := map[bool]error{true: ErrTooLarge, false: ErrBad}[size[1] > 0]; !errors.Is(err, want) {
			t.Errorf("%v: %+v %v", size, got, err)
		}
	}
	if _, err := Read(sized(picture, 2000, 1000)); err != nil {
		t.Error(err)
	}
}

// Whatever is taken has only the kinds of segments that draw a picture, ends with it, is
// no longer than what was sent, and is taken again as it is.
func FuzzRead(f *testing.F) {
	picture := drawn(f, 40, 30)
	f.Add(picture)
	f.Add(with(picture, 2, segment(0xE1, "Exif\x00\x00")...))
	f.Add(append(slices.Clone(picture), "<script>"...))
	f.Add(sized(picture, 65_535, 65_535))
	f.Fuzz(func(t *testing.T, sent []byte) {
		p, err := Read(sent)
		if err != nil {
			if !errors.Is(err, ErrBad) && !errors.Is(err, ErrTooLarge) {
				t.Error(err)
			}
			return
		}
		again, err := Read(p.Bytes)
		if err != nil || !bytes.Equal(again.Bytes, p.Bytes) || len(p.Bytes) > len(sent) || p.Width*p.Height > MaxPixels ||
			!bytes.HasSuffix(p.Bytes, []byte{0xFF, markerEnd}) {
			t.Errorf("%+v %v", again, err)
		}
	})
}
