//go:build linux

package disk

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// victim is an agent that says how far it has got and then waits to be killed.
func victim(args []string) int {
	dir, at, step := args[0], args[1], args[2]
	m := managerAt(dir)
	own := func(context.Context, string) error {
		if step == "own" {
			fmt.Println("here")
			select {}
		}
		return nil
	}
	if err := m.Mount(context.Background(), fc("1"), at, own); err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("here")
	select {}
}

// TestKilled: an agent that is killed in the middle is followed by one that goes on: the
// disk is mounted once, or, if nobody wants it any more, nothing of it is left.
func TestKilled(t *testing.T) {
	for _, step := range []string{"mkfs", "own", "done"} {
		for _, wanted := range []bool{true, false} {
			t.Run(fmt.Sprint(step, wanted), func(t *testing.T) {
				g := newRig(t)
				device := g.device()
				g.fibre(device, "1")
				if step == "mkfs" {
					g.program("mkfs.ext4", "echo here >"+g.path("reached")+"; exec sleep 60")
					if out, err := exec.Command("mkfifo", g.path("reached")).CombinedOutput(); err != nil {
						t.Fatalf("%v: %s", err, out)
					}
				}
				g.kill(step)
				g.start()
				if wanted {
					g.must(os.RemoveAll(g.path("programs/mkfs.ext4")))
					g.must(g.mount(fc("1"), g.pod("a")))
					g.settled()
					if n := g.mounts(); n != 2 {
						t.Errorf("%d mounts, want the disk's and the pod's", n)
					}
					return
				}
				g.leave(g.pod("a"))
				g.settled()
				left, err := g.names()
				g.must(err)
				if n := g.mounts(); n != 0 || len(left) != 0 || g.file("sys/block/"+filepath.Base(device)+"/device/delete") != "1" {
					t.Errorf("left: %d mounts, %v", n, left)
				}
			})
		}
	}
}

// kill runs an agent until it has reached step, and kills it.
func (g *rig) kill(step string) {
	g.Helper()
	self, err := os.Executable()
	g.must(err)
	c := exec.Command(self, g.dir, g.pod("a"), step)
	c.Args[0] = "victim"
	out, err := c.StdoutPipe()
	g.must(err)
	g.must(c.Start())
	var said string
	if step == "mkfs" {
		said = g.file("reached")
	} else {
		said, _ = bufio.NewReader(out).ReadString('\n')
	}
	_ = c.Process.Kill()
	_ = c.Wait()
	if said != "here\n" {
		g.Fatalf("it said %q", said)
	}
}
