package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/bus/pause"
	"github.com/skerry/skerry/schemas"
)

// aimVolume is how late a changed ConfigMap may be in the files of a running pod.
const aimVolume = time.Second

// mounting is a pod that mounts the ConfigMap of the same name.
const mounting = `apiVersion: v1
kind: ConfigMap
metadata: {name: volume}
data: {key: "0"}
---
apiVersion: v1
kind: Pod
metadata: {name: volume}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: c
    image: ` + image + `
    imagePullPolicy: Never
    volumeMounts: [{name: v, mountPath: /v}]
  volumes:
  - {name: v, configMap: {name: volume}}
`

// volume measures from the request that changes a ConfigMap until the file that a running
// container reads has the new content.
func (b *bench) volume(ctx context.Context) ([]row, error) {
	return b.inCluster(ctx, func(ctx context.Context, c *cluster, client *api.Client) ([]row, error) {
		watching, cancel := context.WithCancel(ctx)
		pods := watch(watching, client)
		defer func() { cancel(); <-pods.done }()
		if err := c.apply(ctx, mounting); err != nil {
			return nil, err
		}
		if _, err := pods.expect("ready pod", count(1, isReady))(ctx); err != nil {
			return nil, err
		}
		found, err := filepath.Glob(filepath.Join(c.dir, "*", "pods", "*", "volumes", "kubernetes.io~configmap", "v", "key"))
		if err != nil || len(found) != 1 {
			return nil, fmt.Errorf("find the file of the ConfigMap: %q, %v", found, err)
		}
		var s sample
		for i := range b.changes {
			took, err := changed(ctx, client, found[0], fmt.Sprint("change ", i))
			if err != nil {
				return nil, err
			}
			s = append(s, took)
		}
		return []row{{"A ConfigMap's change until the file in a running pod shows it", s.String(), s.spread(), "≤ " + show(aimVolume), s.quantile(1) <= aimVolume}}, nil
	})
}

// changed changes the ConfigMap and returns how long it took until the file had the new content.
func changed(ctx context.Context, client *api.Client, file, content string) (time.Duration, error) {
	cm := &v1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "volume", Namespace: "default"}, Data: map[string]string{"key": content}}
	begun := time.Now()
	if _, err := client.Update(ctx, schemas.ConfigMaps, cm, ""); err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for {
		if got, err := os.ReadFile(file); err == nil && string(got) == content {
			return time.Since(begun), nil
		}
		if err := pause.For(ctx, time.Millisecond); err != nil {
			return 0, fmt.Errorf("the file does not show %q: %w", content, err)
		}
	}
}
