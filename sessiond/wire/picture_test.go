package wire

import (
	"errors"
	"testing"
)

func TestPictureRoundTrip(t *testing.T) {
	t.Parallel()
	for _, want := range []Picture{
		{Bytes: 1, Shared: true},
		{Bytes: MaxPictureBytes},
		{Outcome: OutcomeWindow},
		{Outcome: OutcomeDisplay},
	} {
		b := AppendPicture(nil, want)
		if got, err := ParsePicture(b); err != nil || got != want || len(b) > PictureHeadBytes {
			t.Errorf("%+v, %v in %d bytes; want %+v", got, err, len(b), want)
		}
	}
}

func TestPictureRefused(t *testing.T) {
	t.Parallel()
	good := AppendPicture(nil, Picture{Bytes: 100})
	for name, b := range map[string][]byte{
		"nothing":             nil,
		"rules":               AppendRules(nil, &Rules{ID: 1}),
		"another version":     append([]byte{pictureKind, pictureVersion + 1}, good[2:]...),
		"cut off":             good[:len(good)-1],
		"bytes after":         append(append([]byte{}, good...), 0),
		"taken, no bytes":     AppendPicture(nil, Picture{}),
		"not taken, bytes":    AppendPicture(nil, Picture{Outcome: OutcomeWord, Bytes: 1}),
		"too large":           AppendPicture(nil, Picture{Bytes: MaxPictureBytes + 1}),
		"an outcome of later": AppendPicture(nil, Picture{Outcome: outcomes}),
	} {
		if p, err := ParsePicture(b); !errors.Is(err, ErrMalformed) || p != (Picture{}) {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
}
