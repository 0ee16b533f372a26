package openapi

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"sync"

	openapi_v2 "github.com/google/gnostic-models/openapiv2"
	"google.golang.org/protobuf/proto"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/skerry/skerry/schemas"
)

// Document is a finished description.
type Document struct {
	// Gzip is its text, compressed: that is how it is kept and mostly asked for.
	Gzip []byte
	// Hash names this content.
	Hash string
	// Media is the type of the text.
	Media string
}

// Book keeps the documents of a set of kinds; they are made when first asked for. Safe
// for concurrent use.
type Book struct {
	version string

	mu    sync.Mutex
	pages map[string]page
}

// page is a document and the kinds that it is of.
type page struct {
	kinds []*schemas.Kind
	*Document
}

// New returns a book without pages; version is the API's, as its documents say it.
func New(version string) *Book { return &Book{version: version, pages: map[string]page{}} }

// Media types of documents.
const (
	JSON = "application/json"
	// Protobuf is of version 2 alone. Clients ask for it by two spellings, of which this
	// is the one that is a media type.
	Protobuf = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
)

// V2 is the one document of version 2, as media.
func (b *Book) V2(kinds []*schemas.Kind, media string) (*Document, error) {
	return b.page(kinds, "v2 "+media, media, func() ([]byte, error) {
		d := &describer{prefix: "#/definitions/", out: map[string]any{}}
		paths := d.all(kinds)
		text, err := json.Marshal(node{"swagger": "2.0", "info": b.info(), "paths": paths, "definitions": d.out})
		if err != nil || media == JSON {
			return text, err
		}
		return protobuf(text)
	})
}

// protobuf is a document of version 2 as the message that client-go reads.
func protobuf(text []byte) ([]byte, error) {
	d, err := openapi_v2.ParseDocument(text)
	if err != nil {
		return nil, err
	}
	return proto.Marshal(d)
}

// V3 is the document of one group and version under its path ("api/v1",
// "apis/apps/v1"), nil if there is none.
func (b *Book) V3(kinds []*schemas.Kind, path string) (*Document, error) {
	var mine []*schemas.Kind
	for _, k := range kinds {
		if base(k.GroupVersion())[1:] == path {
			mine = append(mine, k)
		}
	}
	if len(mine) == 0 {
		b.drop(path)
		return nil, nil
	}
	return b.page(mine, path, JSON, func() ([]byte, error) {
		d := &describer{prefix: "#/components/schemas/", v3: true, out: map[string]any{}}
		paths := d.all(mine)
		return json.Marshal(node{"openapi": "3.0.0", "info": b.info(), "paths": paths, "components": node{"schemas": d.out}})
	})
}

// Index is /openapi/v3: where each document is.
func (b *Book) Index(kinds []*schemas.Kind) (any, error) {
	type item struct {
		URL string `json:"serverRelativeURL"`
	}
	out := map[string]item{}
	var seen []schema.GroupVersion
	for _, k := range kinds {
		gv := k.GroupVersion()
		if slices.Contains(seen, gv) {
			continue
		}
		seen = append(seen, gv)
		d, err := b.V3(kinds, base(gv)[1:])
		if err != nil {
			return nil, err
		}
		out[base(gv)[1:]] = item{"/openapi/v3" + base(gv) + "?hash=" + url.QueryEscape(d.Hash)}
	}
	return map[string]any{"paths": out}, nil
}

func (b *Book) info() node { return node{"title": "Kubernetes", "version": b.version} }

func (d *describer) all(kinds []*schemas.Kind) node {
	paths := node{}
	for _, k := range kinds {
		one, list := d.kind(k)
		d.paths(k, one, list, paths)
	}
	return paths
}

// drop forgets the page of a group that has no kinds any more.
func (b *Book) drop(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.pages, name)
}

// page returns the named page, made anew if the kinds are other ones than before.
func (b *Book) page(kinds []*schemas.Kind, name, media string, write func() ([]byte, error)) (*Document, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if p := b.pages[name]; p.Document != nil && slices.Equal(p.kinds, kinds) {
		return p.Document, nil
	}
	var kept bytes.Buffer
	z := gzip.NewWriter(&kept)
	sum := sha256.New()
	text, err := write()
	if err != nil {
		return nil, fmt.Errorf("describe %s: %w", name, err)
	}
	sum.Write(text)
	if _, err := z.Write(text); err != nil {
		return nil, fmt.Errorf("describe %s: %w", name, err)
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("describe %s: %w", name, err)
	}
	d := &Document{Gzip: slices.Clip(kept.Bytes()), Hash: hex.EncodeToString(sum.Sum(nil)), Media: media}
	b.pages[name] = page{slices.Clone(kinds), d}
	return d, nil
}
