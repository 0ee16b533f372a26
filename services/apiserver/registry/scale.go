package registry

import (
	"context"
	"strings"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/outline"
	"github.com/skerry/skerry/schemas/validate"
	"github.com/skerry/skerry/services/apiserver/codec"
	"github.com/skerry/skerry/services/apiserver/patch"
)

func (g *Registry) getScale(ctx context.Context, r *api.Request, k *schemas.Kind) (*api.Reply, error) {
	obj, err := g.read(ctx, r, k)
	if err != nil {
		return nil, err
	}
	s, err := scaleOf(k, obj)
	if err != nil {
		return nil, err
	}
	return reply(s, nil, false)
}

func (g *Registry) updateScale(ctx context.Context, r *api.Request, k *schemas.Kind) (*api.Reply, error) {
	var sent autoscalingv1.Scale
	if err := codec.Into(r.Body, &sent); err != nil {
		return nil, err
	}
	return g.putScale(ctx, r, k, func(autoscalingv1.Scale) (autoscalingv1.Scale, error) { return sent, nil })
}

func (g *Registry) patchScale(ctx context.Context, r *api.Request, k *schemas.Kind) (*api.Reply, error) {
	if r.PatchType == types.ApplyPatchType {
		return nil, patch.Unsupported(r.PatchType)
	}
	if err := checkPatch(r); err != nil {
		return nil, err
	}
	return g.putScale(ctx, r, k, func(s autoscalingv1.Scale) (autoscalingv1.Scale, error) {
		doc, err := codec.Encode(&s)
		if err != nil {
			return s, err
		}
		out, err := patch.Apply(r.PatchType, doc, r.Body, &s)
		if err != nil {
			return s, err
		}
		var next autoscalingv1.Scale
		return next, codec.Into(out, &next)
	})
}

// putScale sets the number of replicas to that of what f makes of the Scale.
func (g *Registry) putScale(ctx context.Context, r *api.Request, k *schemas.Kind, f func(autoscalingv1.Scale) (autoscalingv1.Scale, error)) (*api.Reply, error) {
	out, _, err := g.change(ctx, r, k, func(old schemas.Object) (schemas.Object, error) {
		was, err := scaleOf(k, old)
		if err != nil {
			return nil, err
		}
		sent, err := f(*was)
		if err != nil {
			return nil, err
		}
		if sent.Name != "" && sent.Name != string(r.Name) {
			return nil, apierrors.NewBadRequest("the name of the object (" + sent.Name + ") does not match the name on the URL (" + string(r.Name) + ")")
		}
		sent.Name, sent.Namespace = was.Name, was.Namespace
		if errs := validate.Scale(&sent); len(errs) > 0 {
			return nil, apierrors.NewInvalid(autoscalingv1.SchemeGroupVersion.WithKind("Scale").GroupKind(), sent.Name, errs)
		}
		next, err := withReplicas(k, old, sent.Spec.Replicas)
		if err != nil {
			return nil, err
		}
		next.SetUID(sent.UID)
		next.SetResourceVersion(sent.ResourceVersion)
		return g.replace(r, k, old, next)
	})
	if err != nil {
		return nil, err
	}
	s, err := scaleOf(k, out)
	if err != nil {
		return nil, err
	}
	return reply(s, nil, false)
}

// scaleOf reads the Scale of an object of k.
func scaleOf(k *schemas.Kind, obj schemas.Object) (*autoscalingv1.Scale, error) {
	u, err := content(obj)
	if err != nil {
		return nil, err
	}
	s := &autoscalingv1.Scale{
		TypeMeta: metav1.TypeMeta{Kind: "Scale", APIVersion: autoscalingv1.SchemeGroupVersion.String()},
		ObjectMeta: metav1.ObjectMeta{Name: obj.GetName(), Namespace: obj.GetNamespace(), UID: obj.GetUID(),
			ResourceVersion: obj.GetResourceVersion(), CreationTimestamp: obj.GetCreationTimestamp()},
	}
	s.Spec.Replicas = number(u, k.Scale.Replicas)
	s.Status.Replicas = number(u, k.Scale.Status)
	switch selector := outline.At(u, k.Scale.Selector).(type) {
	case string:
		s.Status.Selector = selector
	case map[string]any:
		var ls metav1.LabelSelector
		if runtime.DefaultUnstructuredConverter.FromUnstructured(selector, &ls) == nil { // a kind may have another kind of selector
			s.Status.Selector = metav1.FormatLabelSelector(&ls)
		}
	}
	return s, nil
}

// content is obj as unstructured fields; it may share them.
func content(obj schemas.Object) (*unstructured.Unstructured, error) {
	if u, ok := obj.(*unstructured.Unstructured); ok {
		return u, nil
	}
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(obj)
	return &unstructured.Unstructured{Object: fields}, err
}

func number(u schemas.Object, path string) int32 {
	n, _ := outline.At(u, path).(int64) // 0: it is not there
	return int32(n)
}

// withReplicas returns a copy of obj with another number of replicas.
func withReplicas(k *schemas.Kind, obj schemas.Object, replicas int32) (schemas.Object, error) {
	copied, _ := obj.DeepCopyObject().(schemas.Object) // the type is obj's
	u, err := content(copied)
	if err != nil {
		return nil, err
	}
	if err := unstructured.SetNestedField(u.Object, int64(replicas), strings.Split(k.Scale.Replicas, ".")...); err != nil {
		return nil, err
	}
	next := k.New()
	if schemas.IsUntyped(next) {
		return u, nil
	}
	return next, runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, next)
}
