package gateway

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/skerry/skerry/services/gateway/accept"
	"github.com/skerry/skerry/services/gateway/discover"
	"github.com/skerry/skerry/services/gateway/openapi"
	"github.com/skerry/skerry/services/gateway/route"
)

// discover answers what tells clients what there is.
func (x *exchange) discover() error {
	kinds, rt := x.s.served(), x.route
	switch rt.Kind {
	case route.Root:
		return x.reply(http.StatusOK, metav1.RootPaths{Paths: x.paths()})
	case route.LegacyAPI, route.Groups:
		choice, ok := accept.Choose(x.r.Header.Get("Accept"), accept.Discovery)
		if !ok {
			return notAcceptable()
		}
		if choice.As == accept.Discovery {
			return x.aggregated(rt.Kind == route.LegacyAPI)
		}
		if rt.Kind == route.LegacyAPI {
			return x.reply(http.StatusOK, discover.LegacyVersions(x.r.Host))
		}
		return x.reply(http.StatusOK, discover.Groups(kinds))
	case route.Group:
		if g := discover.Group(kinds, rt.Group); g != nil {
			return x.reply(http.StatusOK, g)
		}
	case route.GroupVersion:
		if l := discover.Resources(kinds, schema.GroupVersion{Group: rt.Group, Version: rt.Version}); l != nil {
			return x.reply(http.StatusOK, l)
		}
	case route.OpenAPIV2, route.OpenAPIV3:
		return x.openAPI()
	}
	return notFound()
}

// aggregated answers with all in one document; clients that have it already are told so.
func (x *exchange) aggregated(legacy bool) error {
	body, err := json.Marshal(discover.Aggregated(x.s.served(), legacy))
	if err != nil {
		return apierrors.NewInternalError(err)
	}
	h := x.w.Header()
	h.Set("Content-Type", "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList")
	h.Add("Vary", "Accept")
	x.tagged(body)
	return nil
}

// tagged sends a body under the hash of it, or nothing to who has it already.
func (x *exchange) tagged(body []byte) {
	sum := sha256.Sum256(body)
	tag := `"` + hex.EncodeToString(sum[:]) + `"`
	x.w.Header().Set("ETag", tag)
	if x.r.Header.Get("If-None-Match") == tag {
		x.w.WriteHeader(http.StatusNotModified)
		return
	}
	x.send(http.StatusOK, body)
}

// paths is what / lists.
func (x *exchange) paths() []string {
	out := []string{"/api", "/api/v1", "/apis", "/healthz", "/livez", "/openapi/v2", "/openapi/v3", "/readyz", "/version"}
	for _, g := range discover.Groups(x.s.served()).Groups {
		out = append(out, "/apis/"+g.Name)
		for _, v := range g.Versions {
			out = append(out, "/apis/"+v.GroupVersion)
		}
	}
	slices.Sort(out)
	return out
}

// openAPI describes the kinds.
func (x *exchange) openAPI() error {
	kinds, book := x.s.Table.All(), x.s.book
	offers := []string{openapi.JSON}
	if x.route.Kind == route.OpenAPIV2 {
		offers = append(offers, openapi.Protobuf)
	}
	media, ok := accept.Among(x.r.Header.Get("Accept"), offers...)
	if !ok {
		return notAcceptable()
	}
	var d *openapi.Document
	var err error
	switch {
	case x.route.Kind == route.OpenAPIV2:
		d, err = book.V2(kinds, media)
	case x.route.Path == "":
		index, err := book.Index(kinds)
		if err != nil {
			return apierrors.NewInternalError(err)
		}
		return x.reply(http.StatusOK, index)
	default:
		d, err = book.V3(kinds, x.route.Path)
	}
	if err != nil {
		return apierrors.NewInternalError(err)
	}
	if d == nil {
		return notFound()
	}
	return x.description(d)
}

// description sends a description, which is kept compressed.
func (x *exchange) description(d *openapi.Document) error {
	h := x.w.Header()
	h.Set("Content-Type", d.Media)
	h.Set("ETag", `"`+d.Hash+`"`)
	h.Set("Vary", "Accept-Encoding, Accept")
	if x.r.URL.Query().Get("hash") == d.Hash { // the URL names the content
		h.Set("Cache-Control", "public, immutable")
	}
	if x.r.Header.Get("If-None-Match") == `"`+d.Hash+`"` {
		x.w.WriteHeader(http.StatusNotModified)
		return nil
	}
	if strings.Contains(x.r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		_, _ = x.w.Write(d.Gzip) // an error: the client has left
		return nil
	}
	z, err := gzip.NewReader(bytes.NewReader(d.Gzip))
	if err != nil {
		return apierrors.NewInternalError(err)
	}
	_, _ = io.Copy(x.w, z)
	return nil
}
