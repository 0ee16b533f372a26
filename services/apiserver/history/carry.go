package history

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/skerry/skerry/bus/store"
	"github.com/skerry/skerry/schemas"
)

// former is a desired value that was replaced, or is about to be: at its sequence in state.
type former struct {
	sequence store.Revision
	value    []byte
}

// maxReplaced bounds how many objects wait for their former values to be kept. With more, whoever
// writes waits as well.
const maxReplaced = 1000

// Carry returns what the write that replaces e is to carry along: the former values of ref that may not
// be in the history yet, e itself among them if it is to be kept. If that is too much, all of
// them are kept before it returns.
func (k *Keeper) Carry(ctx context.Context, ref schemas.Ref, e store.Entry, keep bool) ([]byte, error) {
	list, err := unpack(e.Carried)
	if err != nil {
		return nil, fmt.Errorf("carry %s: %w", ref, err)
	}
	if keep {
		list = append(list, former{e.Revision, e.Value})
	}
	k.mu.Lock()
	list = after(list, k.known[ref].sequence)
	full := len(k.replaced) >= maxReplaced
	k.mu.Unlock()
	if carry := pack(list); len(carry) <= store.MaxCarry && !full {
		return carry, nil
	}
	return nil, k.keepAll(ctx, ref, list)
}

// after leaves out of list, which is in order, what is not after sequence.
func after(list []former, sequence store.Revision) []former {
	for len(list) > 0 && list[0].sequence <= sequence {
		list = list[1:]
	}
	return list
}

// pack puts values behind one another, each with its sequence and length before it.
func pack(list []former) []byte {
	var b []byte
	for _, f := range list {
		b = binary.AppendUvarint(b, uint64(f.sequence))
		b = binary.AppendUvarint(b, uint64(len(f.value)))
		b = append(b, f.value...)
	}
	return b
}

var errCarried = errors.New("what a value carries cannot be read")

func unpack(b []byte) ([]former, error) {
	var list []former
	for len(b) > 0 {
		sequence, n := binary.Uvarint(b)
		if n <= 0 {
			return nil, errCarried
		}
		b = b[n:]
		size, n := binary.Uvarint(b)
		if n <= 0 || size > uint64(len(b)-n) {
			return nil, errCarried
		}
		list = append(list, former{store.Revision(sequence), b[n : n+int(size)]})
		b = b[n+int(size):]
	}
	return list, nil
}
