package picture

import (
	"encoding/binary"
	"image"
	"math/bits"

	"github.com/jezek/xgb/shm"
	"github.com/jezek/xgb/xproto"
	"golang.org/x/sys/unix"

	"activity-tracker.example/sessiond/wire"
)

const (
	// stripBytes is how much of the screen is read at a time, and maxStripBytes what one
	// row of blocks of the widest screen has: 32,767 pixels of 4 bytes, 16 rows.
	stripBytes    = 1 << 20
	maxStripBytes = 4 << 19
	allPlanes     = 0xFFFFFFFF
)

// form is how a screen's pixels lie in memory.
type form struct {
	bytes            int // of a pixel; 0: not known
	pad              int // a row's length is a multiple of it, in bytes
	red, green, blue channel
}

// channel is one colour within a pixel.
type channel struct{ shift, bits uint }

func channelOf(mask uint32) channel {
	return channel{uint(bits.TrailingZeros32(mask)), uint(bits.OnesCount32(mask))}
}

// of returns the colour's value from 0 to 255.
func (c channel) of(pixel uint32) uint32 {
	v := pixel >> c.shift & (1<<c.bits - 1)
	if c.bits >= 8 {
		return v >> (c.bits - 8)
	}
	return v * 255 / (1<<c.bits - 1)
}

// formOf describes the pixels of a screen; bytes is 0 for one that has no colours of its
// own, or whose server has the other byte order.
func formOf(setup *xproto.SetupInfo, s *xproto.ScreenInfo) form {
	var f form
	for _, p := range setup.PixmapFormats {
		if p.Depth == s.RootDepth && (p.BitsPerPixel == 16 || p.BitsPerPixel == 32) {
			f.bytes, f.pad = int(p.BitsPerPixel)/8, int(p.ScanlinePad)/8
		}
	}
	for _, d := range s.AllowedDepths {
		for _, v := range d.Visuals {
			if v.VisualId == s.RootVisual && v.Class == xproto.VisualClassTrueColor {
				f.red, f.green, f.blue = channelOf(v.RedMask), channelOf(v.GreenMask), channelOf(v.BlueMask)
			}
		}
	}
	if f.red.bits == 0 || f.green.bits == 0 || f.blue.bits == 0 || f.pad == 0 || setup.ImageByteOrder != xproto.ImageOrderLSBFirst {
		f.bytes = 0
	}
	return f
}

// by returns how many pixels of a screen a pixel of the picture has in each direction.
func (o Options) by(width, height int) int {
	if !o.Readable {
		return blurredBy
	}
	by := readableBy
	for by < leastReadableBy && (width/by)*(height/by) > wire.MaxPicturePixels {
		by++
	}
	return by
}

// shrunk returns the screen with blocks of pixels made one each. It is read in strips, so
// that a large screen takes no more memory than a small one.
func (s *Screen) shrunk(o Options) (*image.RGBA, bool, error) {
	size, err := xproto.GetGeometry(s.x, xproto.Drawable(s.root)).Reply()
	if err != nil {
		return nil, false, OutcomeError(wire.OutcomeDisplay)
	}
	by := o.by(int(size.Width), int(size.Height))
	w, h := int(size.Width)/by, int(size.Height)/by
	stride := (int(size.Width)*s.form.bytes + s.form.pad - 1) / max(s.form.pad, 1) * s.form.pad
	switch {
	case s.form.bytes == 0:
		return nil, false, OutcomeError(wire.OutcomeColours)
	case w == 0 || h == 0 || w*h > wire.MaxPicturePixels || stride*by > maxStripBytes:
		return nil, false, OutcomeError(wire.OutcomeTooLarge)
	}
	blocks := max(stripBytes/(stride*by), 1)
	read, done, shared := s.reader(int(size.Width), blocks*by*stride)
	defer done()
	out := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := 0; y < h; y += blocks {
		rows := min(blocks, h-y)
		strip, err := read(y*by, rows*by)
		if err != nil || len(strip) < rows*by*stride {
			return nil, false, OutcomeError(wire.OutcomeDisplay)
		}
		for i := range rows {
			s.form.average(out.Pix[(y+i)*out.Stride:][:4*w], strip[i*by*stride:], stride, by)
		}
	}
	return out, shared, nil
}

// average fills a row of the picture with the averages of blocks.
func (f *form) average(row, strip []byte, stride, by int) {
	pixels := uint32(by * by)
	for x := 0; x < len(row)/4; x++ {
		var r, g, b uint32
		for dy := range by {
			line := strip[dy*stride+x*by*f.bytes:]
			for dx := range by {
				var p uint32
				if f.bytes == 4 {
					p = binary.LittleEndian.Uint32(line[4*dx:])
				} else {
					p = uint32(binary.LittleEndian.Uint16(line[2*dx:]))
				}
				r, g, b = r+f.red.of(p), g+f.green.of(p), b+f.blue.of(p)
			}
		}
		row[4*x], row[4*x+1], row[4*x+2], row[4*x+3] = byte(r/pixels), byte(g/pixels), byte(b/pixels), 255
	}
}

// reader returns how rows of the screen are read: through shared memory where the server
// can attach it, else by the connection.
func (s *Screen) reader(width, bytes int) (read func(y, rows int) ([]byte, error), done func(), shared bool) {
	if memory, segment, err := s.attach(bytes); err == nil {
		read = func(y, rows int) ([]byte, error) {
			_, err := shm.GetImage(s.x, xproto.Drawable(s.root), 0, int16(y), uint16(width), uint16(rows), allPlanes,
				xproto.ImageFormatZPixmap, segment, 0).Reply()
			return memory, err
		}
		return read, func() { _ = unix.SysvShmDetach(memory) }, true
	}
	read = func(y, rows int) ([]byte, error) {
		reply, err := xproto.GetImage(s.x, xproto.ImageFormatZPixmap, xproto.Drawable(s.root), 0, int16(y), uint16(width), uint16(rows), allPlanes).Reply()
		if err != nil {
			return nil, err
		}
		return reply.Data, nil
	}
	return read, func() {}, false
}

// attach makes shared memory for this user alone, which is gone with its last user.
func (s *Screen) attach(bytes int) (memory []byte, segment shm.Seg, err error) {
	const name = "MIT-SHM"
	found, err := xproto.QueryExtension(s.x, uint16(len(name)), name).Reply()
	if err != nil || !found.Present || s.noShared {
		return nil, 0, OutcomeError(wire.OutcomeDisplay)
	}
	s.x.ExtLock.Lock() // shm.Init would write maps that other connections read
	s.x.Extensions[name] = found.MajorOpcode
	s.x.ExtLock.Unlock()
	const onlyUser = 0o600
	id, err := unix.SysvShmGet(unix.IPC_PRIVATE, bytes, unix.IPC_CREAT|onlyUser)
	if err != nil {
		return nil, 0, err
	}
	defer func() { _, _ = unix.SysvShmCtl(id, unix.IPC_RMID, nil) }() // both have it, or none will
	if memory, err = unix.SysvShmAttach(id, 0, 0); err != nil {
		return nil, 0, err
	}
	if segment, err = shm.NewSegId(s.x); err == nil {
		err = shm.AttachChecked(s.x, segment, uint32(id), false).Check()
	}
	if err != nil {
		_ = unix.SysvShmDetach(memory)
		return nil, 0, err
	}
	return memory, segment, nil
}
