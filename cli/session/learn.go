package session

import (
	"context"
	"fmt"
	"time"

	"github.com/skerry/skerry/schemas"
)

// learnWithin bounds how long a command waits to hear of kinds.
const learnWithin = 5 * time.Second

// Learn asks the apiserver, once, for the kinds that this program was not built with, and puts them into
// the session's table. It tells whether there were any. Without a cluster there is nobody to ask.
func (s *Session) Learn(ctx context.Context) (more bool, err error) {
	if _, err := s.Cluster(); err != nil || s.learned {
		return false, nil //nolint:nilerr // what is not known stays unknown
	}
	s.learned = true
	ctx, cancel := context.WithTimeout(ctx, learnWithin)
	defer cancel()
	client, err := s.Client(ctx)
	if err != nil {
		return false, err
	}
	served, err := client.Kinds(ctx)
	if err != nil {
		return false, fmt.Errorf("ask for the kinds that are served: %w", err)
	}
	for _, o := range served {
		if s.Table.ByResource(schemas.Resource{Group: o.Group, Plural: o.Plural}) != nil {
			continue
		}
		k, err := o.Entry()
		if err == nil {
			err = s.Table.Put(k)
		}
		if err != nil {
			s.Warnf("%v", err)
			continue
		}
		more = true
	}
	return more, nil
}
