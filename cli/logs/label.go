package logs

import (
	"fmt"
	"hash/fnv"
)

// colours are of text on a terminal, well apart and legible on dark and light.
var colours = []int{36, 35, 32, 33, 34, 96, 95, 92, 93, 94}

// label begins the lines of a container. On a terminal each pod has a colour of its own,
// the same in every run, and so has each container.
func label(src source, coloured bool) string {
	if !coloured {
		return fmt.Sprintf("[pod/%s/%s] ", src.pod.Name, src.container)
	}
	return fmt.Sprintf("\x1b[%dm[pod/%s\x1b[0m/\x1b[%dm%s]\x1b[0m ",
		colourOf(src.pod.Name), src.pod.Name, colourOf(src.pod.Name+"/"+src.container), src.container)
}

func colourOf(name string) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name)) // never fails
	return colours[h.Sum32()%uint32(len(colours))]
}
