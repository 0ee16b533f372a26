package conformance

import (
	"context"
	"testing"

	"github.com/go-logr/logr"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

// counter keeps a ConfigMap for each Deployment that says how many replicas are wanted.
type counter struct{ client.Client }

func (c *counter) Reconcile(ctx context.Context, r ctrl.Request) (ctrl.Result, error) {
	var d appsv1.Deployment
	if err := c.Get(ctx, r.NamespacedName, &d); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	m := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: d.Name + "-count", Namespace: d.Namespace}}
	_, err := ctrl.CreateOrUpdate(ctx, c.Client, m, func() error {
		m.Data = map[string]string{"replicas": string(rune('0' + *d.Spec.Replicas))}
		return ctrl.SetControllerReference(&d, m, c.Scheme())
	})
	return ctrl.Result{}, err
}

// TestManager: a manager of controller-runtime over Deployments, whose objects go with
// their owner.
func TestManager(t *testing.T) {
	c := clientset(t)
	ns := namespace(t, c)
	ctx, cancel := context.WithCancel(contextOf(t))
	defer cancel()
	log.SetLogger(logr.Discard())
	m, err := ctrl.NewManager(config(t), ctrl.Options{
		Metrics:        server.Options{BindAddress: "0"},
		LeaderElection: true, LeaderElectionID: "counter", LeaderElectionNamespace: ns, LeaderElectionReleaseOnCancel: true,
		Cache: cache.Options{DefaultNamespaces: map[string]cache.Config{ns: {}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := ctrl.NewControllerManagedBy(m).For(&appsv1.Deployment{}).Owns(&corev1.ConfigMap{}).Complete(&counter{m.GetClient()}); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- m.Start(ctx) }()
	two := int32(2)
	labels := map[string]string{"app": "none"}
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "web"}, Spec: appsv1.DeploymentSpec{
		Replicas: &two, Paused: true, Selector: &metav1.LabelSelector{MatchLabels: labels},
		Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "localhost/none:1"}}}},
	}}
	if _, err := c.AppsV1().Deployments(ns).Create(ctx, d, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	counts := func(want string) func() error {
		return func() error {
			m, err := c.CoreV1().ConfigMaps(ns).Get(ctx, "web-count", metav1.GetOptions{})
			if err == nil && m.Data["replicas"] != want {
				err = apierrors.NewBadRequest("it says " + m.Data["replicas"])
			}
			return err
		}
	}
	retry(t, ctx, counts("2"))
	if err := c.CoreV1().ConfigMaps(ns).Delete(ctx, "web-count", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	retry(t, ctx, counts("2")) // it was made again
	retry(t, ctx, func() error {
		scale, err := c.AppsV1().Deployments(ns).GetScale(ctx, "web", metav1.GetOptions{})
		if err != nil {
			return err
		}
		scale.Spec.Replicas = 3
		_, err = c.AppsV1().Deployments(ns).UpdateScale(ctx, "web", scale, metav1.UpdateOptions{})
		return err
	})
	retry(t, ctx, counts("3"))
	if err := c.AppsV1().Deployments(ns).Delete(ctx, "web", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	retry(t, ctx, func() error {
		if err := counts("3")(); !apierrors.IsNotFound(err) {
			return apierrors.NewBadRequest("it is still there")
		}
		return nil
	})
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
