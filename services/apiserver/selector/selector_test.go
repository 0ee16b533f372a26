package selector

import (
	"testing"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/schemas"
)

func TestMatches(t *testing.T) {
	pod := &v1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "web-1", Namespace: "default", Labels: map[string]string{"app": "web", "tier": "front"}},
		Spec:       v1.PodSpec{NodeName: "n1"},
		Status:     v1.PodStatus{Phase: v1.PodRunning},
	}
	for _, c := range []struct {
		labels, fields string
		want           bool
	}{
		{"", "", true},
		{"app=web", "", true},
		{"app!=web", "", false},
		{"app in (api,web),tier", "", true},
		{"!app", "", false},
		{"", "metadata.name=web-1", true},
		{"", "metadata.name!=web-1", false},
		{"", "metadata.namespace==default", true},
		{"", "spec.nodeName=n1,status.phase=Running", true},
		{"", "spec.nodeName=n2", false},
		{"", "spec.hostNetwork=false", true},
		{"app=web", "status.phase!=Running", false},
	} {
		s, err := Parse(&schemas.Kind{Resource: schemas.Pods}, &metav1.ListOptions{LabelSelector: c.labels, FieldSelector: c.fields})
		if err != nil {
			t.Fatalf("%q %q: %v", c.labels, c.fields, err)
		}
		if got := s.Matches(pod); got != c.want {
			t.Errorf("%q %q: matches = %v, want %v", c.labels, c.fields, got, c.want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, o := range []metav1.ListOptions{
		{LabelSelector: "a b"},
		{LabelSelector: "app in web"},
		{FieldSelector: "spec.containers=x"},
		{FieldSelector: "metadata.name"},
	} {
		if _, err := Parse(&schemas.Kind{Resource: schemas.Pods}, &o); !apierrors.IsBadRequest(err) {
			t.Errorf("%+v: got %v, want BadRequest", o, err)
		}
	}
	if _, err := Parse(&schemas.Kind{Resource: schemas.ConfigMaps}, &metav1.ListOptions{FieldSelector: "status.phase=x"}); !apierrors.IsBadRequest(err) {
		t.Errorf("configmaps have no phase: got %v", err)
	}
}

func TestEventFields(t *testing.T) {
	e := &v1.Event{InvolvedObject: v1.ObjectReference{Kind: "Pod", Name: "web-1"}, Reason: "Pulled", Type: "Normal"}
	s, err := Parse(&schemas.Kind{Resource: schemas.Events}, &metav1.ListOptions{FieldSelector: "involvedObject.name=web-1,involvedObject.kind=Pod,type!=Warning,reason=Pulled"})
	if err != nil || !s.Matches(e) {
		t.Errorf("matches = false, err %v", err)
	}
}
