package gateway

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/bus/metric"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/gateway/usage"
)

// gatherTime bounds how long nodes are waited for.
const gatherTime = 3 * time.Second

// measured answers a request of the metrics API. Who may read nodes or pods may know what
// these use: the apiserver is asked for them, as the user.
func (x *exchange) measured() error {
	if err := x.only(http.MethodGet, http.MethodHead); err != nil {
		return err
	}
	if x.route.Version != usage.Version || x.route.Subresource != "" {
		return notFound()
	}
	free, err := x.s.enter(&x.s.running, x.s.Limits.Requests)
	if err != nil {
		return err
	}
	defer free()
	switch {
	case x.route.Resource == "nodes" && x.route.Namespace == "":
		return x.nodeUsage()
	case x.route.Resource == "pods" && (x.route.Name == "" || x.route.Namespace != ""):
		return x.podUsage()
	}
	return notFound()
}

// readAll asks for what the route names of r, one object or all of them.
func readAll[T any](x *exchange, r schemas.Resource) ([]T, error) {
	q := x.r.URL.Query()
	o := &metav1.ListOptions{LabelSelector: q.Get("labelSelector"), FieldSelector: q.Get("fieldSelector")}
	req := &api.Request{
		Verb: api.VerbList, Resource: r, Namespace: schemas.Namespace(x.route.Namespace), Name: schemas.Name(x.route.Name),
		As: x.who, Impersonate: x.as, List: o,
	}
	if req.Name != "" {
		req.Verb = api.VerbGet
	}
	reply, err := x.s.client.Do(x.r.Context(), req)
	if err != nil {
		return nil, err
	}
	if req.Verb == api.VerbGet {
		one := make([]T, 1)
		err = json.Unmarshal(reply.Body, &one[0])
		return one, err
	}
	var list struct{ Items []T }
	err = json.Unmarshal(reply.Body, &list)
	return list.Items, err
}

func (x *exchange) gather(nodes []schemas.NodeName, a metric.Ask) []*metric.Node {
	ctx, cancel := context.WithTimeout(x.r.Context(), gatherTime)
	defer cancel()
	answers, silent := metric.Gather(ctx, x.s.conn, nodes, a)
	for _, s := range silent {
		x.s.Log.Debug("a node gives no figures", "node", s.Node, "error", s.Err)
	}
	return answers
}

func (x *exchange) nodeUsage() error {
	nodes, err := readAll[corev1.Node](x, schemas.Nodes)
	if err != nil {
		return err
	}
	var names []schemas.NodeName
	for i := range nodes {
		names = append(names, schemas.NodeName(nodes[i].Name))
	}
	out := usage.Nodes(nodes, x.gather(names, metric.Ask{}))
	return answerUsage(x, "NodeMetrics", out)
}

func (x *exchange) podUsage() error {
	pods, err := readAll[corev1.Pod](x, schemas.Pods)
	if err != nil {
		return err
	}
	var names []schemas.NodeName
	for i := range pods {
		n := schemas.NodeName(pods[i].Spec.NodeName)
		if n != "" && !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	out := usage.Pods(pods, x.gather(names, metric.Ask{Pods: true, Namespace: schemas.Namespace(x.route.Namespace)}))
	return answerUsage(x, "PodMetrics", out)
}

// answerUsage answers with all, or the one that was asked for.
func answerUsage[T any](x *exchange, kind string, all []T) error {
	switch {
	case x.route.Name == "":
		return x.reply(http.StatusOK, usage.ListOf(kind, all))
	case len(all) == 0:
		return apierrors.NewNotFound(schema.GroupResource{Group: x.route.Group, Resource: x.route.Resource}, x.route.Name)
	}
	return x.reply(http.StatusOK, all[0])
}
