package store

import "time"

// SetIdle shortens the time between a watch's looks for what it may have missed.
func (s *Store) SetIdle(d time.Duration) { s.idle = d }

// SetMany sets how many keys there are beyond a page for a list to be a sweep.
func (s *Store) SetMany(n Revision) { s.many = n }
