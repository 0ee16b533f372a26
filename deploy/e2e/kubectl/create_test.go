package kubectl

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/skerry/skerry/services/agent/podman/podmantest"
)

// TestCreate makes one of each kind that kubectl has a command for, and describes it.
func TestCreate(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	for _, c := range []struct{ args, made, described string }{
		{"serviceaccount robot", "serviceaccount/robot created", "Name:                robot"},
		{"role reader --verb=get,list --resource=pods", "role.rbac.authorization.k8s.io/reader created", "pods       []                 []              [get list]"},
		{"rolebinding reads --role=reader --serviceaccount=" + ns + ":robot", "rolebinding.rbac.authorization.k8s.io/reads created", "ServiceAccount  robot  " + ns},
		{"poddisruptionbudget most --selector=app=shop --min-available=1", "poddisruptionbudget.policy/most created", "Min available:  1"},
		{"secret generic word --from-literal=k=secret", "secret/word created", "k:  6 bytes"},
		{"secret docker-registry pull --docker-server=r --docker-username=u --docker-password=p", "secret/pull created", "kubernetes.io/dockerconfigjson"},
		{"deployment web --image=" + podmantest.Image + " --replicas=0", "deployment.apps/web created", "Replicas:               0 desired"},
	} {
		words := strings.Fields(c.args)
		has(t, ns, c.made, append([]string{"create"}, words...)...)
		kind, name, _ := strings.Cut(strings.Fields(c.made)[0], "/")
		has(t, ns, c.described, "describe", kind, name)
		fails(t, ns, 1, " already exists", append([]string{"create"}, words...)...)
	}
	has(t, ns, "yes\n", "auth", "can-i", "list", "pods", "--as=system:serviceaccount:"+ns+":robot")
	fails(t, ns, 1, "no\n", "auth", "can-i", "delete", "pods", "--as=system:serviceaccount:"+ns+":robot")
	has(t, ns, "pods ", "auth", "can-i", "--list", "--as=system:serviceaccount:"+ns+":robot")
	has(t, ns, "ey", "create", "token", "robot", "--duration=10m")
	has(t, ns, "kind: Deployment\n", "create", "deployment", "dry", "--image=i", "--dry-run=client", "-o", "yaml")
	has(t, ns, "deployment.apps/dry created (server dry run)", "create", "deployment", "dry", "--image=i", "--dry-run=server")
	fails(t, ns, 1, `Error from server (NotFound): deployments.apps "dry" not found`, "get", "deployment", "dry")
	fails(t, ns, 1, `error: failed to create configmap: ConfigMap "A_b" is invalid: metadata.name: Invalid value: "A_b"`, "create", "configmap", "A_b")
	fails(t, ns, 1, `The ConfigMap "A_b" is invalid: metadata.name: Invalid value: "A_b"`, "create", "-f", file(t, strings.Replace(conf("x"), "conf}", "A_b}", 1)))
	fails(t, ns, 1, `error: failed to create configmap: namespaces "no-such" not found`, "create", "configmap", "a", "-n", "no-such")
	has(t, ns, "Status:       Active", "describe", "namespace", ns)
	has(t, ns, "configmap/conf created", "create", "-f", file(t, conf("one")), "--save-config")
	has(t, ns, "configmap/conf replaced", "replace", "-f", file(t, conf("two")))
	has(t, ns, "two", "get", "configmap", "conf", "-o", "jsonpath={.data.page}")
	has(t, ns, "configmap/conf replaced", "replace", "--force", "-f", file(t, conf("three")))
	fails(t, ns, 1, `Error from server (NotFound): error when replacing`, "replace", "-f", file(t, strings.Replace(conf("x"), "conf}", "none}", 1)))
}

func conf(page string) string {
	return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: conf}\ndata: {page: " + page + "}\n"
}

// TestKustomize: a base and what is laid over it.
func TestKustomize(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	dir := t.TempDir()
	for path, text := range map[string]string{
		"base/conf.yaml":          conf("base"),
		"base/kustomization.yaml": "resources: [conf.yaml]\n",
		"over/kustomization.yaml": "resources: [../base]\nnamePrefix: my-\nlabels: [{pairs: {app: shop}}]\nconfigMapGenerator: [{name: made, literals: [k=v]}]\n",
	} {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	over := filepath.Join(dir, "over")
	has(t, ns, "  name: my-conf\n", "kustomize", over)
	fails(t, ns, 1, "+  page: base", "diff", "-k", over)
	has(t, ns, "configmap/my-conf created\n", "apply", "-k", over)
	has(t, ns, "configmap/my-conf unchanged\n", "apply", "-k", over)
	has(t, ns, "", "diff", "-k", over)
	has(t, ns, "configmap/my-conf\nconfigmap/my-made-", "get", "-k", over, "-o", "name")
	has(t, ns, `configmap "my-conf" deleted`, "delete", "-k", over)
}
