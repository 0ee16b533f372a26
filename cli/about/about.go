// Package about is `skerry api-resources`, `explain` and `version`: what this binary knows; and
// `cluster-info`: where the cluster is.
//
// It reads the table of kinds and writes only its output; but for cluster-info, no cluster
// is needed: if there is one, api-resources lists what it has beside.
package about

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/skerry/skerry/cli/failure"
	"github.com/skerry/skerry/cli/output"
	"github.com/skerry/skerry/cli/session"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/explain"
)

// Resources is `skerry api-resources`.
type Resources struct {
	Output     string `short:"o" help:"wide or name." enum:",wide,name" default:"" placeholder:"FORMAT"`
	Namespaced *bool  `help:"Only kinds that have namespaces, or with =false only those that have not."`
	APIGroup   string `name:"api-group" help:"Only kinds of this group." placeholder:"GROUP"`
	Categories string `help:"Only kinds of this category (all)." placeholder:"CATEGORY"`
	NoHeaders  bool   `help:"No header line."`
}

// Run implements the command.
func (c *Resources) Run(ctx context.Context, s *session.Session) error {
	if _, err := s.Learn(ctx); err != nil {
		s.Warnf("these are the kinds that this program was built with: %v", err)
	}
	var rows [][]string
	if !c.NoHeaders && c.Output != "name" {
		rows = append(rows, c.wide([]string{"NAME", "SHORTNAMES", "APIVERSION", "NAMESPACED", "KIND"}, "VERBS", "CATEGORIES"))
	}
	for _, k := range s.Table.All() {
		if !c.shown(k) {
			continue
		}
		if c.Output == "name" {
			s.Printf("%s\n", k.Resource)
			continue
		}
		row := []string{k.Resource.Plural, strings.Join(k.ShortNames, ","), k.GroupVersion().String(), fmt.Sprint(k.Namespaced), k.Kind}
		rows = append(rows, c.wide(row, verbs, strings.Join(k.Categories, ",")))
	}
	return output.NewTable(s.Stdout).Write(rows...)
}

const verbs = "create,delete,deletecollection,get,list,patch,update,watch"

func (c *Resources) wide(row []string, more ...string) []string {
	if c.Output == "wide" {
		return append(row, more...)
	}
	return row
}

func (c *Resources) shown(k *schemas.Kind) bool {
	return (c.Namespaced == nil || *c.Namespaced == k.Namespaced) &&
		(c.APIGroup == "" || c.APIGroup == k.Resource.Group) &&
		(c.Categories == "" || slices.Contains(k.Categories, c.Categories))
}

// Explain is `skerry explain`.
type Explain struct {
	Path      string `arg:"" help:"A kind and fields: pod.spec.containers." placeholder:"KIND[.FIELD…]"`
	Recursive bool   `help:"All fields below, names and types only."`
}

// Run implements the command.
func (c *Explain) Run(s *session.Session) error {
	e, err := explain.Field(s.Table, c.Path)
	if err != nil {
		return err
	}
	s.Printf("%s", e.Render(c.Recursive))
	return nil
}

// Version is `skerry version`.
type Version struct {
	Client bool   `help:"Accepted for kubectl's sake: only this binary's version is known."`
	Output string `short:"o" help:"yaml or json." enum:",yaml,json" default:"" placeholder:"FORMAT"`
}

// Run implements the command.
func (c *Version) Run(s *session.Session) error {
	v := versions(s.Version)
	if c.Output == "" {
		s.Printf("Client Version: %s\nKubernetes API: %s\nGo: %s, %s\n", v["version"], v["kubernetesAPI"], v["go"], v["platform"])
		return nil
	}
	format, err := output.Parse(c.Output)
	if err != nil {
		return failure.AsUsage(err)
	}
	return format.PrintContent(s.Stdout, map[string]any{"clientVersion": v})
}

// versions are those of this binary and of the Kubernetes types in it.
func versions(own string) map[string]any {
	v := map[string]any{"version": own, "go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH, "kubernetesAPI": "unknown"}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	for _, d := range info.Deps {
		if d.Path == "k8s.io/api" {
			v["kubernetesAPI"] = d.Version
		}
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			v["commit"] = s.Value
		}
	}
	return v
}
