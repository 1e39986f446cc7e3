// Package plainjpeg checks a JPEG by its headers, without drawing it, and leaves out all
// that isn't needed to draw it.
package plainjpeg

import (
	"bytes"
	"errors"
	"fmt"
	"image/jpeg"
)

const (
	// MaxPixels bounds a picture, so that whoever draws it needs 8 MB.
	MaxPixels = 2_000_000
	// maxHeaders bounds what is kept beside the picture itself, in bytes: eight tables, a
	// frame and a scan take 1,000. More could be something else.
	maxHeaders = 2 << 10
)

// ErrBad means that it is no picture of the one form that is taken: baseline, of one scan.
// Of several scans, as in progressive ones, each takes as long to draw as the whole.
var ErrBad = errors.New("not a plain baseline JPEG")

// ErrTooLarge means that it has more pixels than MaxPixels.
var ErrTooLarge = errors.New("more pixels than there may be")

// Picture is one without anything that isn't needed to draw it.
type Picture struct {
	Bytes         []byte
	Width, Height int
}

// The markers that matter, after their 0xFF.
const (
	markerFrame    = 0xC0 // SOF0, baseline
	markerHuffman  = 0xC4
	markerRestart0 = 0xD0
	markerRestart7 = 0xD7
	markerBegin    = 0xD8
	markerEnd      = 0xD9
	markerScan     = 0xDA
	markerQuant    = 0xDB
	markerInterval = 0xDD
	markerApp0     = 0xE0
	markerApp15    = 0xEF
	markerComment  = 0xFE
)

// Read checks a picture and returns it without application segments and comments, as EXIF
// is one; what follows its end makes it ErrBad.
func Read(data []byte) (Picture, error) {
	if len(data) < 2 || data[0] != 0xFF || data[1] != markerBegin {
		return Picture{}, fmt.Errorf("%w: it does not begin as one", ErrBad)
	}
	plain := append(make([]byte, 0, len(data)), data[:2]...)
	frames := 0
	for rest := data[2:]; ; {
		marker, segment, after, err := next(rest)
		if err != nil {
			return Picture{}, err
		}
		switch {
		case marker >= markerApp0 && marker <= markerApp15, marker == markerComment:
		case marker == markerFrame, marker == markerHuffman, marker == markerQuant, marker == markerInterval:
			if marker == markerFrame {
				frames++
			}
			if !wellFormed(marker, segment[4:]) {
				return Picture{}, fmt.Errorf("%w: a segment of kind %X is no such thing", ErrBad, marker)
			}
			plain = append(plain, segment...)
		case marker == markerScan:
			plain = append(plain, segment...)
			if frames != 1 || len(plain) > maxHeaders || !wellFormed(marker, segment[4:]) {
				return Picture{}, fmt.Errorf("%w: %d frames, %d bytes of headers", ErrBad, frames, len(plain))
			}
			if err := checkScan(after); err != nil {
				return Picture{}, err
			}
			return measure(append(plain, after...))
		default:
			return Picture{}, fmt.Errorf("%w: a segment of kind %X", ErrBad, marker)
		}
		rest = after
	}
}

// next returns the segment that data begins with, and what follows it.
func next(data []byte) (marker byte, segment, after []byte, err error) {
	if len(data) < 4 || data[0] != 0xFF {
		return 0, nil, nil, fmt.Errorf("%w: no segment where one should be", ErrBad)
	}
	// The length counts its own two bytes, and not the marker's.
	length := 2 + int(data[2])<<8 + int(data[3])
	if length < 4 || length > len(data) {
		return 0, nil, nil, fmt.Errorf("%w: a segment is cut short", ErrBad)
	}
	return data[1], data[:length], data[length:], nil
}

// wellFormed reports whether a segment is as long as what it has says, so that it is not
// something else.
func wellFormed(marker byte, body []byte) bool {
	switch marker {
	case markerQuant:
		for len(body) >= 65 && body[0] <= 3 {
			body = body[65:]
		}
	case markerHuffman:
		for len(body) >= 17 && body[0]&^0x11 == 0 {
			length := 17
			for _, codes := range body[1:17] {
				length += int(codes)
			}
			if length > len(body) {
				return false
			}
			body = body[length:]
		}
	case markerInterval:
		return len(body) == 2
	case markerFrame:
		// Grey, or three components.
		return len(body) == 9 && body[5] == 1 || len(body) == 15 && body[5] == 3
	case markerScan:
		return len(body) == 6 && body[0] == 1 || len(body) == 10 && body[0] == 3
	}
	return len(body) == 0
}

// checkScan checks that drawn data goes on up to the picture's end, and nothing after it.
func checkScan(data []byte) error {
	for {
		i := bytes.IndexByte(data, 0xFF)
		if i < 0 || i+1 == len(data) {
			return fmt.Errorf("%w: it has no end", ErrBad)
		}
		switch marker := data[i+1]; {
		case marker == 0, marker >= markerRestart0 && marker <= markerRestart7:
			data = data[i+2:]
		case marker == markerEnd && i+2 == len(data):
			return nil
		case marker == markerEnd:
			return fmt.Errorf("%w: more follows its end", ErrBad)
		default:
			return fmt.Errorf("%w: a segment of kind %X within the picture", ErrBad, marker)
		}
	}
}

// measure reads how large a picture is, by the headers that are left of it.
func measure(plain []byte) (Picture, error) {
	config, err := jpeg.DecodeConfig(bytes.NewReader(plain[:min(len(plain), maxHeaders)]))
	if err != nil {
		return Picture{}, fmt.Errorf("%w: %w", ErrBad, err)
	}
	// Neither is over 65,535.
	switch pixels := config.Width * config.Height; {
	case pixels < 1:
		return Picture{}, fmt.Errorf("%w: %d by %d pixels", ErrBad, config.Width, config.Height)
	case pixels > MaxPixels:
		return Picture{}, fmt.Errorf("%w: %d by %d", ErrTooLarge, config.Width, config.Height)
	}
	return Picture{Bytes: plain, Width: config.Width, Height: config.Height}, nil
}
