// Package auth is `skerry auth`: who am I, and what may I do.
//
// It reads what the apiserver answers and writes nothing. What always holds: the answer
// is the apiserver's own decision, and `can-i` ends with 0 for yes and 1 for no.
package auth

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/cli/failure"
	"github.com/skerry/skerry/cli/output"
	"github.com/skerry/skerry/cli/session"
	"github.com/skerry/skerry/schemas"
)

// Command is `skerry auth`.
type Command struct {
	CanI   CanI   `cmd:"" name:"can-i" help:"Whether an action is allowed."`
	WhoAmI WhoAmI `cmd:"" name:"whoami" help:"Who the cluster takes you for."`
}

// CanI is `skerry auth can-i`.
type CanI struct {
	Verb        string `arg:"" optional:"" help:"get, list, create, … or *."`
	Object      string `arg:"" optional:"" name:"type/name" help:"What it is done to: pods, pod/web, or a path such as /healthz."`
	Subresource string `help:"Such as log or scale." placeholder:"NAME"`
	List        bool   `help:"List all that is allowed in the namespace."`
	All         bool   `short:"A" name:"all-namespaces" help:"In all namespaces."`
	Quiet       bool   `short:"q" help:"Only the exit code."`
	NoHeaders   bool   `help:"With --list: without the line of names."`
}

// Run implements the command.
func (c *CanI) Run(ctx context.Context, s *session.Session) error {
	switch {
	case c.List && c.Verb != "":
		return failure.Usage("neither verb nor type go with --list")
	case c.List:
		return c.list(ctx, s)
	case c.Verb == "" || c.Object == "":
		return failure.Usage("you must specify two arguments: verb resource or verb resource/resourceName")
	}
	review := &authorizationv1.SelfSubjectAccessReview{}
	if strings.HasPrefix(c.Object, "/") {
		review.Spec.NonResourceAttributes = &authorizationv1.NonResourceAttributes{Verb: c.Verb, Path: c.Object}
	} else {
		review.Spec.ResourceAttributes = c.attributes(s)
	}
	if err := ask(ctx, s, schemas.SelfSubjectAccessReviews, review); err != nil {
		return err
	}
	return c.say(s, review.Status)
}

func (c *CanI) attributes(s *session.Session) *authorizationv1.ResourceAttributes {
	resource, name, _ := strings.Cut(c.Object, "/")
	a := &authorizationv1.ResourceAttributes{Verb: c.Verb, Resource: resource, Name: name, Subresource: c.Subresource}
	switch k := s.Table.Find(resource); {
	case resource == "*":
		a.Group = "*"
	case k == nil:
		if !c.Quiet {
			s.Warnf("the server doesn't have a resource type '%s'", resource)
		}
	default:
		a.Group, a.Resource = k.Resource.Group, k.Resource.Plural
		if !k.Namespaced && !c.Quiet {
			s.Warnf("resource '%s' is not namespace scoped", resource)
		}
	}
	if !c.All {
		a.Namespace = string(s.Namespace())
	}
	return a
}

func (c *CanI) say(s *session.Session, st authorizationv1.SubjectAccessReviewStatus) error {
	word := "yes"
	if !st.Allowed {
		word = "no"
		if st.Reason != "" {
			word += " - " + st.Reason
		}
	}
	if !c.Quiet {
		s.Printf("%s\n", word)
	}
	if !st.Allowed {
		return failure.Exit(1)
	}
	return nil
}

func (c *CanI) list(ctx context.Context, s *session.Session) error {
	review := &authorizationv1.SelfSubjectRulesReview{Spec: authorizationv1.SelfSubjectRulesReviewSpec{Namespace: string(s.Namespace())}}
	if err := ask(ctx, s, schemas.SelfSubjectRulesReviews, review); err != nil {
		return err
	}
	var rows [][]string
	for _, r := range review.Status.ResourceRules {
		for _, group := range r.APIGroups {
			for _, resource := range r.Resources {
				if group != "" {
					resource += "." + group
				}
				rows = append(rows, []string{resource, "[]", list(r.ResourceNames), list(r.Verbs)})
			}
		}
	}
	for _, r := range review.Status.NonResourceRules {
		rows = append(rows, []string{"", list(r.NonResourceURLs), "[]", list(r.Verbs)})
	}
	slices.SortStableFunc(rows, func(a, b []string) int { return strings.Compare(a[0]+a[1], b[0]+b[1]) })
	var headers [][]string
	if !c.NoHeaders {
		headers = [][]string{{"Resources", "Non-Resource URLs", "Resource Names", "Verbs"}}
	}
	return output.NewTable(s.Stdout).Write(append(headers, rows...)...)
}

func list(words []string) string { return "[" + strings.Join(words, " ") + "]" }

// WhoAmI is `skerry auth whoami`.
type WhoAmI struct{}

// Run implements the command.
func (*WhoAmI) Run(ctx context.Context, s *session.Session) error {
	review := &authenticationv1.SelfSubjectReview{}
	if err := ask(ctx, s, schemas.SelfSubjectReviews, review); err != nil {
		return err
	}
	rows := [][]string{{"ATTRIBUTE", "VALUE"}, {"Username", review.Status.UserInfo.Username}}
	if g := review.Status.UserInfo.Groups; len(g) > 0 {
		rows = append(rows, []string{"Groups", list(g)})
	}
	return output.NewTable(s.Stdout).Write(rows...)
}

// ask sends a review and reads its answer into it.
func ask(ctx context.Context, s *session.Session, r schemas.Resource, review schemas.Object) error {
	client, err := s.Client(ctx)
	if err != nil {
		return err
	}
	review.GetObjectKind().SetGroupVersionKind(s.Table.ByResource(r).GroupVersionKind())
	reply, err := session.Ask(ctx, client, &api.Request{Verb: api.VerbCreate, Resource: r}, review)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(reply.Body, review); err != nil {
		return fmt.Errorf("read the answer about %s: %w", r, err)
	}
	return nil
}
