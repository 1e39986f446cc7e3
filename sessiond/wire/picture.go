package wire

import "encoding/binary"

// Limits of a picture of the screen.
const (
	// MaxPictureBytes bounds a picture, and MaxPicturePixels what it shows: the server
	// takes no larger one.
	MaxPictureBytes  = 512 << 10
	MaxPicturePixels = 2_000_000
	// PicturePartBytes bounds a packet with a part of one: a socket takes no packet of
	// more than some 200 KiB.
	PicturePartBytes = 64 << 10
	// PictureHeadBytes bounds the packet before the parts.
	PictureHeadBytes = 16
)

// The first bytes of the packet before a picture.
const (
	pictureKind    = 0xF2
	pictureVersion = 1
)

// Outcome is what became of a picture that was to be taken.
type Outcome uint8

// The outcomes. The daemon takes one that it does not know for a failure.
const (
	OutcomeTaken    Outcome = iota // the picture follows
	OutcomeWindow                  // a rule drops the title of a window on the screen
	OutcomeCrowded                 // there are more windows than are looked at
	OutcomeTooLarge                // more pixels or bytes than a picture may have
	OutcomeColours                 // the screen's pixels are of a form that is not known
	OutcomeRules                   // the rules for titles did not come, or do not compile
	OutcomeWord                    // the person could not be told
	OutcomeDisplay                 // the display could not be read
	outcomes
)

// Picture is what is sent before a picture's parts, or in its place.
type Picture struct {
	Outcome Outcome
	// Shared is whether the X server wrote the screen into shared memory.
	Shared bool
	// Bytes is how many follow, in packets of at most PicturePartBytes.
	Bytes int
}

// AppendPicture appends the encoded packet to dst.
func AppendPicture(dst []byte, p Picture) []byte {
	dst = append(dst, pictureKind, pictureVersion, byte(p.Outcome), flag(p.Shared))
	return binary.AppendUvarint(dst, uint64(p.Bytes))
}

// ParsePicture reads a packet that AppendPicture made. Its errors wrap ErrMalformed.
func ParsePicture(b []byte) (Picture, error) {
	if len(b) < 2 || b[0] != pictureKind || b[1] != pictureVersion {
		return Picture{}, malformedError("no picture of this version")
	}
	d := decoder{rest: b[2:]}
	p := Picture{Outcome: Outcome(d.byte(byte(outcomes) - 1)), Shared: d.byte(1) == 1, Bytes: int(d.uvarint(MaxPictureBytes))}
	if d.err == nil && (len(d.rest) > 0 || (p.Outcome == OutcomeTaken) != (p.Bytes > 0)) {
		d.fail("bytes after a picture's head, or a picture without any")
	}
	if d.err != nil {
		return Picture{}, d.err
	}
	return p, nil
}
