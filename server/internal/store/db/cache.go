package db

import (
	"sync"
)

// Cache remembers about limit entries that never change in the database. Where
// it is full, the older half is forgotten.
type Cache[K comparable, V any] struct {
	mu         sync.Mutex
	limit      int
	young, old map[K]V
}

// NewCache makes a cache of about limit entries.
func NewCache[K comparable, V any](limit int) *Cache[K, V] {
	return &Cache[K, V]{limit: limit, young: map[K]V{}, old: map[K]V{}}
}

// Get returns what is remembered of a key.
func (c *Cache[K, V]) Get(k K) (V, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	v, ok := c.young[k]
	if ok {
		return v, true
	}
	if v, ok = c.old[k]; ok {
		c.keep(k, v)
	}
	return v, ok
}

// Put remembers a value.
func (c *Cache[K, V]) Put(k K, v V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keep(k, v)
}

func (c *Cache[K, V]) keep(k K, v V) {
	if len(c.young) >= c.limit/2 {
		c.old, c.young = c.young, map[K]V{}
	}
	c.young[k] = v
}

// Forget empties the cache.
func (c *Cache[K, V]) Forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.young, c.old = map[K]V{}, map[K]V{}
}
