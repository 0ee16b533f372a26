package store

import "time"

// SetIdle shortens the time between a watch's looks for what it may have missed.
func (s *Store) SetIdle(d time.Duration) { s.idle = d }
