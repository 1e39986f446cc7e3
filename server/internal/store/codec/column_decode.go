package codec

// column reads a column of n numbers; n must be bounded by the caller.
func (u *decoder) column(n int) []uint64 { return u.nested(n, columnNesting) }

func (u *decoder) nested(n, depth int) []uint64 {
	list := make([]uint64, n)
	if n == 0 {
		return list
	}
	switch form := u.byte(); form {
	case columnSame:
		v := u.number()
		for i := range list {
			list[i] = v
		}
	case columnVarints:
		for i := range list {
			list[i] = u.number()
		}
	case columnRuns:
		u.runs(list)
	case columnBits:
		least, width := u.number(), int(u.byte())
		u.bits(list, least, width)
	case columnDeltas, columnSparse:
		if depth == 0 {
			u.bad = true
			break
		}
		if form == columnDeltas {
			u.deltas(list, depth)
		} else {
			u.sparse(list, depth)
		}
	default:
		u.bad = true
	}
	return list
}

func (u *decoder) byte() byte {
	if len(u.b) == 0 {
		u.bad = true
		return 0
	}
	c := u.b[0]
	u.b = u.b[1:]
	return c
}

func (u *decoder) runs(list []uint64) {
	for i := 0; i < len(list); {
		count, v := u.number(), u.number()
		if count == 0 || count > uint64(len(list)-i) {
			u.bad = true
			return
		}
		for range count {
			list[i] = v
			i++
		}
	}
}

func (u *decoder) bits(list []uint64, least uint64, width int) {
	size := (len(list)*width + 7) / 8
	if width > 64 || len(u.b) < size {
		u.bad = true
		return
	}
	for i := range list {
		var v uint64
		// An unaligned number of 64 bits lies in 9 bytes.
		at, low := i*width/8, i*width%8
		for j := 0; j < width+low; j += 8 {
			if c := uint64(u.b[at+j/8]); j >= low {
				v |= c << (j - low)
			} else {
				v |= c >> low
			}
		}
		if width < 64 {
			v &= 1<<width - 1
		}
		list[i] = least + v
	}
	u.b = u.b[size:]
}

func (u *decoder) deltas(list []uint64, depth int) {
	list[0] = u.number()
	for i, d := range u.nested(len(list)-1, depth-1) {
		list[i+1] = list[i] + (d>>1 ^ -(d & 1))
	}
}

func (u *decoder) sparse(list []uint64, depth int) {
	u.bits(list, 0, 1)
	n := 0
	for _, v := range list {
		n += int(v)
	}
	rest := u.nested(n, depth-1)
	for i := range list {
		if list[i] != 0 {
			list[i] = rest[0]
			rest = rest[1:]
		}
	}
}
