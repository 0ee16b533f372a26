// Package metric asks nodes what they and their containers use, over the bus.
//
// It reads agents' answers and writes nothing. What always holds: many nodes are asked
// at once, but not all; one that does not answer holds nobody up beyond the caller's
// time; and the caller is told which did not.
package metric

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/schemas"
)

// verb is the last token of the subject node.<node>.<user>.metrics.
const verb = "metrics"

// Ask says what of a node is of interest.
type Ask struct {
	// Pods asks for the pods' figures too, of Namespace only unless that is "".
	Pods      bool              `json:"pods,omitempty"`
	Namespace schemas.Namespace `json:"namespace,omitempty"`
}

// Figures are amounts in use: CPU in billionths of a core, on average over the window;
// memory in bytes of the working set.
type Figures struct {
	CPU    int64 `json:"cpu"`
	Memory int64 `json:"memory"`
}

// Node is a node's answer.
type Node struct {
	Figures
	Name   schemas.NodeName `json:"name"`
	At     time.Time        `json:"at"`
	Window time.Duration    `json:"window"`
	Pods   []Pod            `json:"pods,omitempty"`
}

// Pod is what a pod's containers use.
type Pod struct {
	Namespace  schemas.Namespace `json:"namespace"`
	Name       schemas.Name      `json:"name"`
	UID        types.UID         `json:"uid"`
	Containers []Container       `json:"containers"`
}

// Container is what one container uses.
type Container struct {
	Figures
	Name string `json:"name"`
}

// servedAtOnce bounds the requests that an agent answers at once.
const servedAtOnce = 8

// answer is what goes over the bus: one of the two.
type answer struct {
	Node  *Node  `json:"node,omitempty"`
	Error string `json:"error,omitempty"`
}

// Serve answers for node with what f returns, until ctx ends.
func Serve(ctx context.Context, conn *bus.Conn, node schemas.NodeName, f func(ctx context.Context, a Ask) (*Node, error)) error {
	return conn.Respond(ctx, bus.NodeSubject(node, "*", verb), "", servedAtOnce, func(ctx context.Context, _ string, data []byte) []byte {
		var a Ask
		var out answer
		err := json.Unmarshal(data, &a)
		if err == nil {
			out.Node, err = f(ctx, a)
		}
		if err != nil {
			out = answer{Error: err.Error()}
		}
		b, err := json.Marshal(out)
		if err != nil {
			return nil // figures and names always marshal
		}
		return b
	})
}

// askedAtOnce bounds how many nodes are asked at once.
const askedAtOnce = 256

// Silent is a node that gave no figures, and why.
type Silent struct {
	Node schemas.NodeName
	Err  error
}

// Gather asks nodes, and returns what has come by the end of ctx, both by name.
func Gather(ctx context.Context, conn *bus.Conn, nodes []schemas.NodeName, a Ask) (answers []*Node, silent []Silent) {
	var mu sync.Mutex
	var g errgroup.Group
	g.SetLimit(askedAtOnce)
	for _, n := range nodes {
		g.Go(func() error {
			got, err := one(ctx, conn, n, a)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				silent = append(silent, Silent{n, err})
			} else {
				answers = append(answers, got)
			}
			return nil
		})
	}
	_ = g.Wait() // nobody returns an error
	slices.SortFunc(answers, func(a, b *Node) int { return strings.Compare(string(a.Name), string(b.Name)) })
	slices.SortFunc(silent, func(a, b Silent) int { return strings.Compare(string(a.Node), string(b.Node)) })
	return answers, silent
}

func one(ctx context.Context, conn *bus.Conn, node schemas.NodeName, a Ask) (*Node, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	data, err := json.Marshal(a)
	if err != nil {
		return nil, err
	}
	reply, err := conn.Request(ctx, bus.NodeSubject(node, conn.User, verb), data)
	if err != nil {
		return nil, err
	}
	var got answer
	if err := json.Unmarshal(reply, &got); err != nil {
		return nil, fmt.Errorf("decode figures of node %s: %w", node, err)
	}
	switch {
	case got.Error != "":
		return nil, errors.New(got.Error)
	case got.Node == nil || got.Node.Name != node:
		return nil, fmt.Errorf("the answer is not node %s's", node)
	}
	return got.Node, nil
}
