package pod

// admit has a pod fail that the node does not take: one of which nothing was made or said
// yet. Who was taken stays taken, also by the next agent.
func (r *Reconciler) admit(e *entry, in Input) {
	if r.Admit == nil || in.Order == nil || in.Order.DeletionTimestamp != nil || e.admitted {
		return
	}
	e.admitted = true
	if len(in.Observed) > 0 || e.mem.Last.Phase != "" {
		return
	}
	if ev := r.Admit(in.Order); ev != nil {
		r.doom(e, in.Order, ev)
	}
}
