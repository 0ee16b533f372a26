package rollout

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

func deployment(want int32, st appsv1.DeploymentStatus) *appsv1.Deployment {
	st.ObservedGeneration++
	return &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "web", Generation: 1}, Spec: appsv1.DeploymentSpec{Replicas: ptr.To(want)}, Status: st}
}

func TestDeploymentStatus(t *testing.T) {
	const waiting = `Waiting for deployment "web" rollout to finish: `
	stuck := appsv1.DeploymentStatus{Conditions: []appsv1.DeploymentCondition{{Type: appsv1.DeploymentProgressing, Reason: "ProgressDeadlineExceeded"}}}
	tests := []struct {
		name string
		d    *appsv1.Deployment
		want string
		done bool
		bad  bool
	}{
		{"not seen", deployment(3, appsv1.DeploymentStatus{ObservedGeneration: -1}), "Waiting for deployment spec update to be observed...", false, false},
		{"beginning", deployment(3, appsv1.DeploymentStatus{UpdatedReplicas: 1}), waiting + "1 out of 3 new replicas have been updated...", false, false},
		{"old ones left", deployment(3, appsv1.DeploymentStatus{UpdatedReplicas: 3, Replicas: 4}), waiting + "1 old replicas are pending termination...", false, false},
		{"not ready", deployment(3, appsv1.DeploymentStatus{UpdatedReplicas: 3, Replicas: 3, AvailableReplicas: 2}), waiting + "2 of 3 updated replicas are available...", false, false},
		{"done", deployment(3, appsv1.DeploymentStatus{UpdatedReplicas: 3, Replicas: 3, AvailableReplicas: 3}), `deployment "web" successfully rolled out`, true, false},
		{"scaled to nothing", deployment(0, appsv1.DeploymentStatus{}), `deployment "web" successfully rolled out`, true, false},
		{"out of time", deployment(3, stuck), "", false, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := statusOf(tt.d)
			if got.Message != tt.want || got.Done != tt.done || (err != nil) != tt.bad {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

func TestPicture(t *testing.T) {
	p := &picture{label: "deployment.apps/web", pods: map[string]*corev1.Pod{}}
	d := deployment(3, appsv1.DeploymentStatus{UpdatedReplicas: 1, Replicas: 3, AvailableReplicas: 2})
	st, err := statusOf(d)
	if err != nil {
		t.Fatal(err)
	}
	p.setObject(d, st)
	bad := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "web-abc"}, Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{
		State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: "no such image"}},
	}}}}
	p.setPod("ADDED", bad)
	got := strings.Join(p.lines(), "\n")
	want := "… deployment.apps/web  [====        ] new 1/3, available 2, old 2\n    web-abc: ImagePullBackOff: no such image"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	p.setPod("DELETED", bad)
	if got := len(p.lines()); got != 1 {
		t.Errorf("%d lines after the pod is gone", got)
	}
}
