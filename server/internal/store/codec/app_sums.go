package codec

import (
	"cmp"
	"slices"
)

// AppSum is the time of an application.
type AppSum struct {
	App uint64
	AppTime
}

// AppSums are the times of applications, each once, ascending by their numbers. Few
// sums have over a dozen, for which a list takes half the time of a map.
type AppSums []AppSum

// nearby is how many applications are looked at one by one, before a search.
const nearby = 8

// addFrom adds an application's time, if it is any. It stands at from or behind;
// where, is returned: those that follow in a list that ascends are not before it.
func (s *AppSums) addFrom(from int, app uint64, of AppTime) int {
	if of.Focus == 0 {
		return from
	}
	list, i := *s, from
	for i < len(list) && list[i].App < app {
		if i++; i == from+nearby {
			rest, _ := slices.BinarySearchFunc(list[i:], app, func(one AppSum, app uint64) int { return cmp.Compare(one.App, app) })
			i += rest
		}
	}
	if i < len(list) && list[i].App == app {
		list[i].Add(of)
		return i
	}
	*s = slices.Insert(list, i, AppSum{app, of})
	return i
}
