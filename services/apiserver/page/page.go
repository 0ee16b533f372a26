package page

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/schemas"
)

// Inconsistent is the revision of a token that goes on at whatever is there now.
const Inconsistent = -1

// Token is what a continue token holds.
type Token struct {
	Revision int64  `json:"rv"`
	After    string `json:"start"` // the Key of the last object that was given
}

// Key orders objects: by namespace, then name.
func Key(o metav1.Object) string { return o.GetNamespace() + "\x00" + o.GetName() }

// Encode renders t as metadata.continue.
func (t Token) Encode() string {
	data, _ := json.Marshal(t) // two plain fields: cannot fail
	return base64.RawURLEncoding.EncodeToString(data)
}

// Decode parses a continue token; anything else is a BadRequest.
func Decode(s string) (Token, error) {
	var t Token
	data, err := base64.RawURLEncoding.DecodeString(s)
	if err == nil {
		err = json.Unmarshal(data, &t)
	}
	if err == nil && (t.Revision == 0 || t.Revision < Inconsistent) {
		err = errors.New("it names no revision")
	}
	if err != nil {
		return t, apierrors.NewBadRequest(fmt.Sprintf("continue key is not valid: %v", err))
	}
	return t, nil
}

// Expired is the answer to a token whose moment is forgotten. It carries a token
// with which the rest can still be listed, as it is now.
func Expired(t Token) error {
	err := apierrors.NewResourceExpired("The provided continue parameter is too old to display a consistent list result. " +
		"Start the list again without it, or go on with the token in this response; " +
		"then objects that were created, modified or deleted since the first page may show up.")
	err.ErrStatus.Code = http.StatusGone
	err.ErrStatus.Continue = Token{Revision: Inconsistent, After: t.After}.Encode()
	return err
}

// Cut returns the page of at most limit objects (0: all) after the key after,
// of those that keep accepts (nil: all); more is how many follow it, or, with a keep,
// whether any does. objs are in order of Key.
func Cut(objs []schemas.Object, after string, limit int64, keep func(schemas.Object) bool) (page []schemas.Object, more int64) {
	if after != "" {
		ns, name, _ := strings.Cut(after, "\x00")
		first, found := slices.BinarySearchFunc(objs, ns, func(o schemas.Object, ns string) int {
			return cmp.Or(strings.Compare(o.GetNamespace(), ns), strings.Compare(o.GetName(), name))
		})
		if found {
			first++
		}
		objs = objs[first:]
	}
	for i, o := range objs {
		if limit > 0 && int64(len(page)) == limit {
			if keep == nil {
				return page, int64(len(objs) - i)
			}
			if keep(o) {
				return page, 1
			}
			continue
		}
		if keep == nil || keep(o) {
			page = append(page, o)
		}
	}
	return page, 0
}
