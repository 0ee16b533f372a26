package cgroup

import (
	"regexp"
	"strings"
)

// victimOf is where the kernel says in which cgroup it killed for lack of memory.
var (
	victimOf    = regexp.MustCompile(`\boom-kill:.*\btask_memcg=([^,\n]*)`)
	containerID = regexp.MustCompile(`[0-9a-f]{64}`)
)

// victims are the ids in the name of the cgroup that a record of the kernel's log says to
// have lost a process to the lack of memory: the container's, and those around it.
func victims(record string) []string {
	if !strings.Contains(record, "oom-kill:") {
		return nil
	}
	m := victimOf.FindStringSubmatch(record)
	if m == nil {
		return nil
	}
	return containerID.FindAllString(m[1], -1)
}

// Told tells whether the kernel's log can be read, so that a kill is known of also if
// nobody watched the container's cgroup while it was there.
func (t *Tracker) Told() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.log.open()
}

// listen takes in what the kernel's log says.
func (t *Tracker) listen() {
	t.log.drain(func(record string) {
		for _, id := range victims(record) {
			t.note(id)
		}
	})
}
