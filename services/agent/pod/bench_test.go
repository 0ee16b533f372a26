//go:build linux

package pod_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/services/agent/pod"
	"github.com/skerry/skerry/services/agent/podman/podmantest"
)

// raw starts a pod with one container by the three calls that it takes at least.
func raw(b *testing.B, client *http.Client, name string) {
	id := post(b, client, "/pods/create", fmt.Sprintf(`{"name":%q,"netns":{"nsmode":"bridge"},"Networks":{"skerry":{}},"shared_namespaces":["net","ipc","uts"]}`, name))
	rawContainer(b, client, id, name)
}

func rawContainer(b *testing.B, client *http.Client, pod, name string) {
	c := post(b, client, "/containers/create", fmt.Sprintf(`{"name":"%s-c","pod":%q,"image":%q,"entrypoint":["/bin/sh","-c"],"command":[%q],"log_configuration":{"driver":"k8s-file"}}`, name, pod, podmantest.Image, forever))
	post(b, client, "/containers/"+c+"/start", "")
}

func post(b *testing.B, client *http.Client, path, body string) string {
	b.Helper()
	resp, err := client.Post("http://d/v4.0.0/libpod"+path, "application/json", bytes.NewBufferString(body))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var out struct{ Id, Message string } //nolint:revive // Podman's spelling
	_ = json.NewDecoder(resp.Body).Decode(&out)
	if resp.StatusCode >= 300 {
		b.Fatalf("%s: %s %s", path, resp.Status, out.Message)
	}
	return out.Id
}

// BenchmarkStart compares the agent's way to a running pod, from work order to
// reported status, with the bare calls of Podman's API, taking turns.
func BenchmarkStart(b *testing.B) {
	for _, n := range []int{1, 10} {
		b.Run(fmt.Sprintf("pods=%d", n), func(b *testing.B) {
			g := newRig(b)
			client := g.host.Client()
			var bare, agent time.Duration
			for i := range b.N {
				began := time.Now()
				rawAll(b, client, i, n)
				bare += time.Since(began)
				g.host.Podman(b, "pod", "rm", "--all", "--force", "--time=0")
				began = time.Now()
				var pods []*v1.Pod
				for range n {
					p := web(fmt.Sprintf("web-%d", serial), forever)
					pods = append(pods, p)
					g.order(p)
				}
				for _, p := range pods {
					g.running(pod.KeyOf(p), 0)
				}
				agent += time.Since(began)
				for _, p := range pods {
					g.cancel(pod.KeyOf(p))
				}
				for _, p := range pods {
					g.await(pod.KeyOf(p), "gone", func(st *v1.PodStatus) bool { return st == nil })
				}
			}
			b.ReportMetric(float64(bare.Milliseconds())/float64(b.N), "ms-raw/op")
			b.ReportMetric(float64(agent.Milliseconds())/float64(b.N), "ms-agent/op")
			b.ReportMetric(float64(agent)/float64(bare), "agent/raw")
		})
	}
}

// rawAll starts n pods, four at a time, as the agent does.
func rawAll(b *testing.B, client *http.Client, round, n int) {
	var wg sync.WaitGroup
	slots := make(chan struct{}, 4)
	for i := range n {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			raw(b, client, fmt.Sprintf("raw-%d-%d", round, i))
		})
	}
	wg.Wait()
}

// BenchmarkHeal measures from the SIGKILL of a container's process to its
// successor's reported start, against the bare calls that make and start a container
// in a pod that is there.
func BenchmarkHeal(b *testing.B) {
	g := newRig(b)
	client := g.host.Client()
	var heal, bare time.Duration
	for i := range b.N {
		p := web(fmt.Sprintf("heal-%d", serial), forever)
		g.order(p)
		id := strings.TrimPrefix(g.running(pod.KeyOf(p), 0).ContainerStatuses[0].ContainerID, "podman://")
		began := time.Now()
		rawContainer(b, client, p.Namespace+"_"+p.Name+"_"+string(p.UID)[:8], fmt.Sprintf("bare-%d", i))
		bare += time.Since(began)
		pid, err := strconv.Atoi(strings.TrimSpace(g.host.Podman(b, "inspect", "--format={{.State.Pid}}", id)))
		if err != nil {
			b.Fatal(err)
		}
		began = time.Now()
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			b.Fatal(err)
		}
		g.running(pod.KeyOf(p), 1)
		heal += time.Since(began)
		g.cancel(pod.KeyOf(p))
		g.await(pod.KeyOf(p), "gone", func(st *v1.PodStatus) bool { return st == nil })
	}
	b.ReportMetric(float64(heal.Milliseconds())/float64(b.N), "ms-heal/op")
	b.ReportMetric(float64(bare.Milliseconds())/float64(b.N), "ms-raw/op")
}
