package main

import (
	"context"
	"fmt"
	"os"
	"time"
)

const (
	aimCold = time.Second
	aimSize = 70 // MB
)

// cold measures `skerry up` on an empty data folder until its node is ready.
func (b *bench) cold(ctx context.Context) ([]row, error) {
	var running, absent sample
	for range b.colds {
		took, err := b.once(ctx)
		if err != nil {
			return nil, err
		}
		running = append(running, took)
	}
	b.stopPodman()
	for range b.colds {
		took, err := b.once(ctx)
		if err != nil {
			return nil, err
		}
		absent = append(absent, took)
	}
	return []row{
		coldRow("running", running),
		coldRow("started by it", absent),
	}, b.startPodman(ctx)
}

func coldRow(podman string, s sample) row {
	return row{"Cold start to ready, Podman's service " + podman, s.String(), s.spread(), "< " + show(aimCold), s.median() < aimCold}
}

func (b *bench) once(ctx context.Context) (time.Duration, error) {
	c, err := b.up(ctx)
	if err != nil {
		return 0, err
	}
	return c.ready, c.down()
}

// size is that of the binary.
func (b *bench) size(context.Context) ([]row, error) {
	i, err := os.Stat(b.binary)
	if err != nil {
		return nil, err
	}
	mb := float64(i.Size()) / 1e6
	return []row{{"Size of the binary", fmt.Sprintf("%.1f MB", mb), "", fmt.Sprintf("< %d MB", aimSize), mb < aimSize}}, nil
}
