package store

// backlog is a queue bounded by count and bytes. What does not fit is refused, and
// remembered until reset.
type backlog[T any] struct {
	items []T
	sizes []int
	bytes int
	over  bool
}

func (b *backlog[T]) full() bool { return len(b.items) >= heldCount || b.bytes >= heldBytes }

func (b *backlog[T]) empty() bool { return len(b.items) == 0 }

func (b *backlog[T]) overflowed() bool { return b.over }

func (b *backlog[T]) push(item T, size int) {
	if b.full() {
		b.over = true
		return
	}
	b.items = append(b.items, item)
	b.sizes = append(b.sizes, size)
	b.bytes += size
}

func (b *backlog[T]) first() (item T, ok bool) {
	if len(b.items) == 0 {
		return item, false
	}
	return b.items[0], true
}

func (b *backlog[T]) pop() {
	var zero T
	b.items[0] = zero
	b.bytes -= b.sizes[0]
	b.items, b.sizes = b.items[1:], b.sizes[1:]
	if len(b.items) == 0 {
		*b = backlog[T]{over: b.over}
	}
}

func (b *backlog[T]) reset() { *b = backlog[T]{} }
