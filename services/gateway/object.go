package gateway

import (
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/gateway/accept"
	"github.com/skerry/skerry/services/gateway/table"
)

// maxManager is how long a field manager's name may be.
const maxManager = 128

// object answers a request about a resource: it becomes one of the bus.
func (x *exchange) object() error {
	k := x.kind()
	if k == nil || k.Namespaced && x.route.Namespace == "" && x.route.Name != "" || !k.Namespaced && x.route.Namespace != "" {
		return notFound()
	}
	req := &api.Request{
		Resource: k.Resource, Namespace: schemas.Namespace(x.route.Namespace), Name: schemas.Name(x.route.Name),
		Subresource: x.route.Subresource, As: x.who, Impersonate: x.as,
	}
	if serve := reaches[req.Subresource]; serve != nil && (k.Resource == schemas.Pods || req.Subresource == "proxy" && k.Has("proxy")) {
		return x.reach(req, serve)
	}
	q := x.r.URL.Query()
	if err := x.verb(req, q); err != nil {
		return err
	}
	if err := x.options(req, q); err != nil {
		return err
	}
	if req.Verb == api.VerbWatch {
		return x.watch(k, req)
	}
	free, err := x.s.enter(&x.s.running, x.s.Limits.Requests)
	if err != nil {
		return err
	}
	defer free()
	return x.do(k, req)
}

// verb says what the method means here.
func (x *exchange) verb(req *api.Request, q url.Values) error {
	named := req.Name != ""
	switch x.r.Method {
	case http.MethodGet, http.MethodHead:
		w := q.Get("watch")
		switch {
		case req.Subresource == "" && (w == "true" || w == "1"):
			req.Verb = api.VerbWatch
		case named:
			req.Verb = api.VerbGet
		default:
			req.Verb = api.VerbList
		}
		return nil
	case http.MethodPost:
		if !named || req.Subresource != "" {
			req.Verb = api.VerbCreate
			return nil
		}
	case http.MethodPut:
		if named {
			req.Verb = api.VerbUpdate
			return nil
		}
	case http.MethodPatch:
		if named {
			req.Verb = api.VerbPatch
			return nil
		}
	case http.MethodDelete:
		req.Verb = api.VerbDelete
		if !named {
			req.Verb = api.VerbDeleteCollection
		}
		return nil
	}
	return x.only() // none of these
}

// options reads the query and the body.
func (x *exchange) options(req *api.Request, q url.Values) (err error) {
	switch req.Verb {
	case api.VerbGet, api.VerbList, api.VerbWatch, api.VerbDeleteCollection:
		req.List = &metav1.ListOptions{}
		if err := metav1.Convert_url_Values_To_v1_ListOptions(&q, req.List, nil); err != nil {
			return apierrors.NewBadRequest(err.Error())
		}
	}
	switch req.Verb {
	case api.VerbCreate, api.VerbUpdate:
		req.Body, err = x.document()
	case api.VerbPatch:
		req.Body, req.PatchType, err = x.patch()
		req.Force = q.Get("force") == "true" || q.Get("force") == "1"
	case api.VerbDelete, api.VerbDeleteCollection:
		req.Delete, err = x.deleteOptions()
		return err
	default:
		return nil
	}
	if err != nil {
		return err
	}
	return x.writeOptions(req, q)
}

func (x *exchange) writeOptions(req *api.Request, q url.Values) error {
	for _, d := range q["dryRun"] {
		if d != metav1.DryRunAll {
			return apierrors.NewBadRequest("dryRun: Unsupported value: \"" + d + "\": supported values: \"All\"")
		}
		req.DryRun = true
	}
	switch v := q.Get("fieldValidation"); v {
	case "":
		req.FieldValidation = metav1.FieldValidationWarn
	case metav1.FieldValidationIgnore, metav1.FieldValidationWarn, metav1.FieldValidationStrict:
		req.FieldValidation = v
	default:
		return apierrors.NewBadRequest("fieldValidation: Unsupported value: \"" + v + "\": supported values: \"Ignore\", \"Strict\", \"Warn\"")
	}
	req.FieldManager = q.Get("fieldManager")
	if len(req.FieldManager) > maxManager {
		return apierrors.NewBadRequest("fieldManager: Too long: may not be more than 128 bytes")
	}
	if req.FieldManager == "" && x.media() != "application/apply-patch+yaml" {
		req.FieldManager = manager(x.r.UserAgent())
	}
	return nil
}

// manager names who has not named itself by its program, as Kubernetes does.
func manager(agent string) string {
	name, _, _ := strings.Cut(agent, "/")
	var b strings.Builder
	for _, r := range name {
		if b.Len()+utf8.RuneLen(r) > maxManager {
			break
		}
		if r >= ' ' && r != utf8.RuneError {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// do asks the apiserver and writes its answer.
func (x *exchange) do(k *schemas.Kind, req *api.Request) error {
	choice, err := x.choose(req)
	if err != nil {
		return err
	}
	// Compressed where it was made it is less to carry, if nobody here looks into it.
	req.Gzip = choice == accept.Choice{} && !pretty(x.r) && x.gzip()
	reply, err := x.s.client.Do(x.r.Context(), req)
	if err != nil {
		return err
	}
	body := reply.Body
	switch choice.As {
	case accept.Table:
		include, err := include(x.r)
		if err != nil {
			return err
		}
		if body, err = table.Render(k, body, include); err != nil {
			return apierrors.NewInternalError(err)
		}
	case accept.Partial, accept.PartialList:
		if body, err = table.Partial(body); err != nil {
			return apierrors.NewInternalError(err)
		}
	}
	for _, w := range reply.Warnings {
		x.w.Header().Add("Warning", warning(w))
	}
	code := http.StatusOK
	if reply.Created {
		code = http.StatusCreated
	}
	if reply.Gzip {
		x.w.Header().Set("Content-Type", "application/json")
		x.deliver(code, body, true)
		return nil
	}
	x.write(code, body, choice)
	return nil
}

// choose reads the form of the answer.
func (x *exchange) choose(req *api.Request) (accept.Choice, error) {
	kinds := []string{accept.Table, accept.Partial}
	if req.Name == "" {
		kinds = []string{accept.Table, accept.PartialList}
	}
	if req.Verb == api.VerbWatch {
		kinds = []string{accept.Table, accept.Partial}
	}
	if req.Subresource != "" && req.Subresource != "status" {
		kinds = nil
	}
	choice, ok := accept.Choose(x.r.Header.Get("Accept"), kinds...)
	if !ok {
		return choice, notAcceptable()
	}
	return choice, nil
}

func include(r *http.Request) (metav1.IncludeObjectPolicy, error) {
	switch p := metav1.IncludeObjectPolicy(r.URL.Query().Get("includeObject")); p {
	case "":
		return metav1.IncludeMetadata, nil
	case metav1.IncludeNone, metav1.IncludeMetadata, metav1.IncludeObject:
		return p, nil
	}
	return "", apierrors.NewBadRequest("includeObject: must be None, Metadata or Object")
}

// warning renders text as the header Warning has it (RFC 7234, section 5.5).
func warning(text string) string {
	var b strings.Builder
	b.WriteString(`299 - "`)
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r == 0x7f:
			b.WriteByte(' ')
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
