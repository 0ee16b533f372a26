package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/schemas"
)

// Table says which columns a list's rows have: the namespace, those of the kind, and
// the values of labels.
type Table struct {
	Wide   bool     `json:"wide,omitempty"`
	Labels []string `json:"labels,omitempty"`
}

// tablePage is how many rows one reply has.
const tablePage = 2000

// Rows lists the objects of r that o selects as rows of text, and calls f with each
// page as it comes, while the next is under way: no more than two are held. If the
// list's moment is forgotten meanwhile, it goes on with what there is then.
func (c *Client) Rows(ctx context.Context, r schemas.Resource, ns schemas.Namespace, o metav1.ListOptions, t Table, f func(rows [][]string) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	o.Limit = tablePage / 10 // the first ones soon
	pages := make(chan [][]string)
	failed := make(chan error, 1)
	go func() {
		defer close(pages)
		failed <- c.rows(ctx, r, ns, o, t, pages)
	}()
	for rows := range pages {
		if err := f(rows); err != nil {
			cancel()
			for range pages { // until it has noticed
			}
			return err
		}
	}
	return <-failed
}

func (c *Client) rows(ctx context.Context, r schemas.Resource, ns schemas.Namespace, o metav1.ListOptions, t Table, pages chan<- [][]string) error {
	for {
		page := o
		reply, err := c.Do(ctx, &Request{Verb: VerbList, Resource: r, Namespace: ns, List: &page, Table: &t})
		var known apierrors.APIStatus
		if apierrors.IsResourceExpired(err) && errors.As(err, &known) && known.Status().Continue != "" && o.Continue != known.Status().Continue {
			o.Continue = known.Status().Continue
			continue
		}
		if err != nil {
			return err
		}
		rows, next, err := decodeTable(reply.Body)
		if err != nil {
			return err
		}
		select {
		case pages <- rows:
		case <-ctx.Done():
			return ctx.Err()
		}
		if next == "" || next == o.Continue {
			return nil
		}
		o.Continue, o.Limit = next, tablePage
		o.ResourceVersion, o.ResourceVersionMatch = "", ""
	}
}

func decodeTable(b []byte) (rows [][]string, next string, err error) {
	lines := bufio.NewScanner(bytes.NewReader(b))
	lines.Buffer(nil, len(b)+1)
	var meta metav1.ListMeta
	if !lines.Scan() {
		return nil, "", errors.New("decode table: it is empty")
	}
	if err := json.Unmarshal(lines.Bytes(), &meta); err != nil {
		return nil, "", fmt.Errorf("decode table: %w", err)
	}
	for lines.Scan() {
		var row []string
		if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
			return nil, "", fmt.Errorf("decode table, row %d: %w", len(rows), err)
		}
		rows = append(rows, row)
	}
	if err := lines.Err(); err != nil {
		return nil, "", fmt.Errorf("decode table: %w", err)
	}
	return rows, meta.Continue, nil
}
