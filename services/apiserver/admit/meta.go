package admit

import (
	"errors"
	"fmt"
	"reflect"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/apimachinery/pkg/util/uuid"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/join"
)

const (
	// A generated name is at most 63 long: 58 of the prefix and 5 at random, as in Kubernetes.
	maxGenerated = 63
	randomLength = 5
)

// GenerateName returns a name that starts with prefix.
func GenerateName(prefix string) string {
	if len(prefix) > maxGenerated-randomLength {
		prefix = prefix[:maxGenerated-randomLength]
	}
	return prefix + rand.String(randomLength)
}

// Create returns obj with the metadata of a new object and without a status. Its name
// stays as it is.
func Create(k *schemas.Kind, obj schemas.Object, now time.Time) (schemas.Object, error) {
	if obj.GetResourceVersion() != "" {
		return nil, apierrors.NewBadRequest("resourceVersion should not be set on objects to be created")
	}
	if k.StatusWriter != schemas.StatusNone {
		obj = join.Desired(k, obj)
	}
	obj.SetUID(uuid.NewUUID())
	obj.SetCreationTimestamp(metav1.Time{Time: now}.Rfc3339Copy())
	obj.SetDeletionTimestamp(nil)
	obj.SetDeletionGracePeriodSeconds(nil)
	obj.SetSelfLink("")
	obj.SetGeneration(0)
	if k.Generation&schemas.GenerationNew != 0 {
		obj.SetGeneration(1)
	}
	return obj, nil
}

// Update gives obj the metadata that an update cannot change, from old. It fails with
// a Conflict if obj is meant for another object of that name, or for another
// resourceVersion.
func Update(k *schemas.Kind, obj, old schemas.Object) error {
	if obj.GetUID() == "" {
		obj.SetUID(old.GetUID())
	}
	if obj.GetUID() != old.GetUID() {
		return Conflict(k, old.GetName(), fmt.Errorf("Precondition failed: UID in precondition: %v, UID in object meta: %v", obj.GetUID(), old.GetUID()))
	}
	if rv := obj.GetResourceVersion(); rv != "" && rv != "0" && rv != old.GetResourceVersion() {
		return Modified(k, old.GetName())
	}
	obj.SetResourceVersion(old.GetResourceVersion())
	obj.SetNamespace(old.GetNamespace())
	obj.SetGenerateName(old.GetGenerateName())
	obj.SetCreationTimestamp(old.GetCreationTimestamp())
	obj.SetDeletionTimestamp(old.GetDeletionTimestamp())
	obj.SetDeletionGracePeriodSeconds(old.GetDeletionGracePeriodSeconds())
	obj.SetGeneration(old.GetGeneration())
	if k.Generation == 0 {
		obj.SetGeneration(0)
	}
	obj.SetSelfLink("")
	return nil
}

// Modified is the Conflict of a write whose resourceVersion is not the object's.
func Modified(k *schemas.Kind, name string) error {
	return Conflict(k, name, errors.New("the object has been modified; please apply your changes to the latest version and try again"))
}

// Conflict is a Conflict about the object called name.
func Conflict(k *schemas.Kind, name string, why error) error {
	return apierrors.NewConflict(GroupResource(k.Resource), name, why)
}

// GroupResource is r in the form that Status errors take.
func GroupResource(r schemas.Resource) schema.GroupResource {
	return schema.GroupResource{Group: r.Group, Resource: r.Plural}
}

// SameContent tells whether a and b differ in nothing but metadata and status.
func SameContent(k *schemas.Kind, a, b schemas.Object) bool {
	return equality.Semantic.DeepEqual(content(k, a), content(k, b))
}

func content(k *schemas.Kind, obj schemas.Object) schemas.Object {
	c := join.Desired(k, obj)
	if u, ok := c.(*unstructured.Unstructured); ok {
		delete(u.Object, "metadata")
		return u
	}
	if a, ok := c.(metav1.ObjectMetaAccessor); ok {
		if m, ok := a.GetObjectMeta().(*metav1.ObjectMeta); ok {
			*m = metav1.ObjectMeta{}
		}
	}
	return c
}

// SetStatus gives dst the status of src, an object of the same kind.
func SetStatus(dst, src schemas.Object) {
	// What is src's may be everybody's, and defaults are set in place.
	src, _ = src.DeepCopyObject().(schemas.Object) // the type is src's
	if u, ok := dst.(*unstructured.Unstructured); ok {
		if s, ok := src.(*unstructured.Unstructured); ok {
			if status, has := s.Object["status"]; has {
				u.Object["status"] = status
			} else {
				delete(u.Object, "status")
			}
		}
		return
	}
	d, s := statusField(dst), statusField(src)
	if d.IsValid() && s.IsValid() && d.Type() == s.Type() {
		d.Set(s)
	}
}

func statusField(obj schemas.Object) reflect.Value {
	v := reflect.Indirect(reflect.ValueOf(obj))
	if v.Kind() != reflect.Struct {
		return reflect.Value{}
	}
	return v.FieldByName("Status")
}
