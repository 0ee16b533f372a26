package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/bus/pause"
)

const (
	aimMemory = 80  // MB
	aimCPU    = 0.5 // % of one core
)

// settle is how long a cluster is left alone before it counts as idle.
const settle = 15 * time.Second

// idling measures the memory and CPU time of a cluster that runs one pod.
func (b *bench) idling(ctx context.Context) ([]row, error) {
	return b.inCluster(ctx, func(ctx context.Context, c *cluster, client *api.Client) ([]row, error) {
		if err := c.runOne(ctx, client); err != nil {
			return nil, err
		}
		if err := pause.For(ctx, settle); err != nil {
			return nil, err
		}
		pids := []int{c.cmd.Process.Pid, b.podman.Pid()}
		before, err := cpuTimes(pids...)
		if err != nil {
			return nil, err
		}
		begun := time.Now()
		if err := pause.For(ctx, b.idle); err != nil {
			return nil, err
		}
		after, err := cpuTimes(pids...)
		if err != nil {
			return nil, err
		}
		wall := time.Since(begun)
		return c.idleRows(wall, after[0]-before[0], after[1]-before[1])
	})
}

// runOne has one pod running, and nobody watching afterwards.
func (c *cluster) runOne(ctx context.Context, client *api.Client) error {
	watching, cancel := context.WithCancel(ctx)
	pods := watch(watching, client)
	defer func() {
		cancel()
		<-pods.done
		client.Conn().Close()
	}()
	if err := c.apply(ctx, deployment("idle", 1)); err != nil {
		return err
	}
	_, err := pods.expect("ready pod", count(1, isReady))(ctx)
	return err
}

func (c *cluster) idleRows(wall, skerry, podman time.Duration) ([]row, error) {
	proc := fmt.Sprintf("/proc/%d/", c.cmd.Process.Pid)
	var mb [5]float64
	for i, f := range []struct{ file, name string }{
		{"status", "VmRSS"}, {"smaps_rollup", "Pss"}, {"status", "RssAnon"}, {"status", "RssFile"}, {"status", "VmHWM"},
	} {
		kib, err := field(proc+f.file, f.name)
		if err != nil {
			return nil, err
		}
		mb[i] = float64(kib) * 1024 / 1e6
	}
	rss, pss, anon, file, peak := mb[0], mb[1], mb[2], mb[3], mb[4]
	percent := func(d time.Duration) float64 { return 100 * d.Seconds() / wall.Seconds() }
	over := "over " + wall.Round(time.Second).String()
	return []row{
		{"Idle, 1 pod: resident memory (VmRSS)", fmt.Sprintf("%.0f MB", rss), fmt.Sprintf("peak %.0f MB", peak), fmt.Sprintf("< %d MB", aimMemory), rss < aimMemory},
		reference("— proportional (PSS)", fmt.Sprintf("%.0f MB", pss), ""),
		reference("— heap and stacks / pages of the binary", fmt.Sprintf("%.0f MB / %.0f MB", anon, file), ""),
		{"Idle, 1 pod: CPU time, of one core", fmt.Sprintf("%.2f %%", percent(skerry)), over, fmt.Sprintf("< %.1f %%", aimCPU), percent(skerry) < aimCPU},
		reference("— Podman's service meanwhile", fmt.Sprintf("%.2f %%", percent(podman)), over),
	}, nil
}

// tick is the unit of times in /proc/<pid>/stat: USER_HZ is 100 on every architecture
// that Go runs on.
const tick = time.Second / 100

// cpuTimes is the user and system time of processes so far.
func cpuTimes(pids ...int) ([]time.Duration, error) {
	var out []time.Duration
	for _, pid := range pids {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			return nil, err
		}
		// Behind the command's name, which may hold spaces: utime and stime, proc_pid_stat(5).
		f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
		user, err := strconv.Atoi(f[11])
		if err != nil {
			return nil, err
		}
		system, err := strconv.Atoi(f[12])
		if err != nil {
			return nil, err
		}
		out = append(out, time.Duration(user+system)*tick)
	}
	return out, nil
}

// field reads a line such as "VmRSS:  123 kB" of a file in /proc, in KiB.
func field(path, name string) (int, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, name+":"); ok {
			return strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(v), " kB"))
		}
	}
	return 0, fmt.Errorf("%s has no field %s", path, name)
}
