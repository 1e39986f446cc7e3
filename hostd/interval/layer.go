package interval

import (
	"iter"
	"maps"
)

// layer is a map with uncommitted changes on top, so that a transaction that
// fails leaves nothing changed.
type layer[K comparable, V any] struct {
	base   map[K]V
	staged map[K]change[V]
	clone  func(V) V
}

type change[V any] struct {
	value   V
	deleted bool
}

func newLayer[K comparable, V any](base map[K]V, clone func(V) V) layer[K, V] {
	l := layer[K, V]{base: maps.Clone(base), staged: map[K]change[V]{}, clone: clone}
	if l.base == nil {
		l.base = map[K]V{}
	}
	return l
}

// get returns the value to look at; it must not be changed.
func (l *layer[K, V]) get(k K) (v V, ok bool) {
	if c, changed := l.staged[k]; changed {
		return c.value, !c.deleted
	}
	v, ok = l.base[k]
	return v, ok
}

// edit returns the value to change.
func (l *layer[K, V]) edit(k K) (v V, ok bool) {
	if c, changed := l.staged[k]; changed {
		return c.value, !c.deleted
	}
	if v, ok = l.base[k]; !ok {
		return v, false
	}
	v = l.clone(v)
	l.staged[k] = change[V]{value: v}
	return v, true
}

func (l *layer[K, V]) put(k K, v V) { l.staged[k] = change[V]{value: v} }

func (l *layer[K, V]) remove(k K) { l.staged[k] = change[V]{deleted: true} }

// all yields what is there, changes included. It may be changed meanwhile: what is
// new then is not yielded.
func (l *layer[K, V]) all() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		var fresh []K
		for k := range l.staged {
			if _, ok := l.base[k]; !ok {
				fresh = append(fresh, k)
			}
		}
		for k := range l.base {
			if v, ok := l.get(k); ok && !yield(k, v) {
				return
			}
		}
		for _, k := range fresh {
			if v, ok := l.get(k); ok && !yield(k, v) {
				return
			}
		}
	}
}

func (l *layer[K, V]) commit() {
	for k, c := range l.staged {
		if c.deleted {
			delete(l.base, k)
		} else {
			l.base[k] = c.value
		}
	}
	l.rollback()
}

func (l *layer[K, V]) rollback() { clear(l.staged) }

// changes returns the changed values and the removed keys.
func (l *layer[K, V]) changes() (set map[K]V, gone []K) {
	set = make(map[K]V, len(l.staged))
	for k, c := range l.staged {
		if c.deleted {
			gone = append(gone, k)
		} else {
			set[k] = c.value
		}
	}
	return set, gone
}
