//go:build !linux

package logfile

// Writer tells whether the process that writes a log still does.
type Writer struct{}

// Watch needs Linux, where pods run.
func Watch(int, string) *Writer { return &Writer{} }

// Alive is false: nothing runs here.
func (*Writer) Alive() bool { return false }

// Close frees the watch.
func (*Writer) Close() {}
