// Package accept reads what form of answer a client wants. Pure.
//
// What always holds: what it chooses is something that the gateway can write; the first
// acceptable clause of the highest quality wins.
package accept

import (
	"mime"
	"slices"
	"strconv"
	"strings"
)

// Choice is the form of an answer.
type Choice struct {
	YAML bool
	// As is "" for the object as it is, or one of the kinds below.
	As string
}

// Kinds that an answer can be turned into.
const (
	Table       = "Table"
	Partial     = "PartialObjectMetadata"
	PartialList = "PartialObjectMetadataList"
	Discovery   = "APIGroupDiscoveryList"
)

// groups says which group and version each kind is asked for with.
var groups = map[string]string{
	Table: "meta.k8s.io/v1", Partial: "meta.k8s.io/v1", PartialList: "meta.k8s.io/v1", Discovery: "apidiscovery.k8s.io/v2",
}

// maxClauses bounds how much of a header is read.
const maxClauses = 64

type clause struct {
	media  string
	params map[string]string
	q      float64
}

// Choose returns the form to answer a request with that has this Accept header; kinds
// are those of As that the answer can be turned into. False: nothing acceptable.
func Choose(header string, kinds ...string) (Choice, bool) {
	switch strings.TrimSpace(header) {
	case "", "*/*", "application/json", "application/json, */*": // what most requests have
		return Choice{}, true
	}
	for _, c := range clauses(header) {
		choice, ok := c.choice(kinds)
		if ok {
			return choice, true
		}
	}
	return Choice{}, false
}

// Among returns which of the media types on offer a request with that Accept header is
// answered with; the first is what anything can be. False: none is acceptable.
func Among(header string, offers ...string) (string, bool) {
	if strings.TrimSpace(header) == "" {
		return offers[0], true
	}
	for _, c := range clauses(header) {
		switch {
		case c.media == "*/*" || c.media == "application/*":
			return offers[0], true
		case slices.Contains(offers, c.media):
			return c.media, true
		}
	}
	return "", false
}

func clauses(header string) []clause {
	var out []clause
	for i, text := range strings.Split(header, ",") {
		if i == maxClauses {
			break
		}
		// Kubernetes' media type of OpenAPI has a character in it that a media type has not.
		media, params, err := mime.ParseMediaType(strings.ReplaceAll(text, "@", "."))
		if err != nil {
			continue
		}
		c := clause{media: media, params: params, q: 1}
		if q, err := strconv.ParseFloat(params["q"], 64); err == nil {
			c.q = q
		}
		if c.q > 0 {
			out = append(out, c)
		}
	}
	slices.SortStableFunc(out, func(a, b clause) int {
		switch {
		case a.q > b.q:
			return -1
		case a.q < b.q:
			return 1
		}
		return 0
	})
	return out
}

func (c clause) choice(kinds []string) (Choice, bool) {
	var out Choice
	switch c.media {
	case "*/*", "application/*", "application/json":
	case "application/yaml":
		out.YAML = true
	default:
		return out, false
	}
	as := c.params["as"]
	if as == "" {
		return out, true
	}
	if !slices.Contains(kinds, as) || groups[as] != c.params["g"]+"/"+c.params["v"] {
		return out, false
	}
	out.As = as
	return out, true
}
