package kubectl

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestApply(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	f := file(t, shop(1))
	has(t, ns, "configmap/conf created\ndeployment.apps/shop created\n", "apply", "-f", f)
	has(t, ns, "configmap/conf unchanged\ndeployment.apps/shop unchanged\n", "apply", "-f", f)
	has(t, ns, "", "diff", "-f", f)
	two := file(t, shop(2))
	fails(t, ns, 1, "+  replicas: 2", "diff", "-f", two)
	has(t, ns, "deployment.apps/shop configured (server dry run)", "apply", "-f", two, "--dry-run=server")
	has(t, ns, "1", "get", "deploy", "shop", "-o", "jsonpath={.spec.replicas}")
	has(t, ns, "deployment.apps/shop configured", "apply", "-f", two)
	has(t, ns, "2", "get", "deploy", "shop", "-o", "jsonpath={.spec.replicas}")
	has(t, ns, "deployment.apps/shop serverside-applied", "apply", "--server-side", "-f", two)
	fails(t, ns, 1, `conflict with "kubectl"`, "apply", "--server-side", "--field-manager", "other", "-f", file(t, shop(3)))
	has(t, ns, "serverside-applied", "apply", "--server-side", "--field-manager", "other", "--force-conflicts", "-f", file(t, shop(3)))
	conf, _, _ := strings.Cut(shop(1), "---")
	has(t, ns, "deployment.apps/shop pruned", "apply", "--prune", "-l", "app=shop", "-f", file(t, conf),
		"--prune-allowlist", "core/v1/ConfigMap", "--prune-allowlist", "apps/v1/Deployment")
	fails(t, ns, 1, `unknown field "dada"`, "apply", "-f", file(t, strings.Replace(conf, "\ndata:", "\ndada:", 1)))
	r := try(t, "", "-n", ns, "apply", "--validate=warn", "-f", file(t, strings.Replace(conf, "\ndata:", "\ndada:", 1)))
	if r.code != 0 || !strings.Contains(r.err, `Warning: unknown field "dada"`) {
		t.Errorf("validate=warn: %+v", r)
	}
}

func TestCreateGetDelete(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	has(t, ns, "configmap/one created", "create", "configmap", "one", "--from-literal=k=v")
	fails(t, ns, 1, `configmaps "one" already exists`, "create", "configmap", "one")
	has(t, ns, "secret/two created", "create", "secret", "generic", "two", "--from-literal=k=v")
	for form, want := range map[string]string{
		"yaml": "  k: v\n", "json": `"k": "v"`, "name": "configmap/one\n", "wide": "one    1      ", "jsonpath={.data.k}": "v",
		"custom-columns=N:.metadata.name": "N\none\n", "go-template={{.data.k}}": "v",
	} {
		has(t, ns, want, "get", "configmap", "one", "-o", form)
	}
	has(t, ns, "NAME   DATA   AGE   LABELS\none    1      ", "get", "configmap", "--show-labels")
	has(t, ns, ns+"   one    1      ", "get", "configmap", "-A", "--field-selector=metadata.namespace="+ns) // others make theirs meanwhile
	has(t, ns, "one", "get", "configmap", "--sort-by=.metadata.name")
	has(t, ns, "one", "get", "configmap", "--chunk-size=1")
	has(t, ns, "one", "get", "configmap", "--field-selector=metadata.name=one")
	fails(t, ns, 1, `Error from server (NotFound): configmaps "none" not found`, "get", "configmap", "none")
	fails(t, ns, 1, `error: the server doesn't have a resource type "things"`, "get", "things")
	has(t, ns, "Name:         one", "describe", "configmap", "one")
	has(t, ns, "configmap/one labeled", "label", "configmap", "one", "l=v")
	has(t, ns, "configmap/one annotated", "annotate", "configmap", "one", "a=v")
	has(t, ns, "one    1", "get", "configmap", "-l", "l=v")
	fails(t, ns, 1, "error: 'l' already has a value (v), and --overwrite is false", "label", "configmap", "one", "l=w")
	has(t, ns, "configmap/one labeled", "label", "configmap", "one", "l=w", "--overwrite")
	fails(t, ns, 1, "error: --overwrite is false but found the following declared annotation(s): 'a' already has a value (v)", "annotate", "configmap", "one", "a=w")
	has(t, ns, "configmap/one unlabeled", "label", "configmap", "one", "l-")
	for i, args := range [][]string{
		{"-p", `{"data":{"p0":"v"}}`},
		{"--type=merge", "-p", `{"data":{"p1":"v"}}`},
		{"--type=json", "-p", `[{"op":"add","path":"/data/p2","value":"v"}]`},
	} {
		has(t, ns, "configmap/one patched", append([]string{"patch", "configmap", "one"}, args...)...)
		has(t, ns, "v", "get", "configmap", "one", "-o", "jsonpath={.data.p"+string(rune('0'+i))+"}")
	}
	has(t, ns, "configmap/one patched (no change)", "patch", "configmap", "one", "-p", `{"data":{"p0":"v"}}`)
	fails(t, ns, 1, "the server rejected our request", "patch", "configmap", "one", "--type=json", "-p", `[{"op":"remove","path":"/data/none"}]`)
	edit(t, ns)
	has(t, ns, `configmap "one" deleted`, "delete", "configmap", "one")
	fails(t, ns, 1, `(NotFound)`, "delete", "configmap", "one")
	has(t, ns, "", "delete", "configmap", "one", "--ignore-not-found")
	has(t, ns, `secret "two" deleted`, "delete", "secret", "--all")
}

// edit changes an object with an editor that is a script.
func edit(t *testing.T, ns string) {
	t.Helper()
	script := filepath.Join(t.TempDir(), "editor")
	if err := os.WriteFile(script, []byte("#!/bin/sh\nexec sed -i 's/k: v/k: edited/' \"$1\"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := command(t.Context(), "-n", ns, "edit", "configmap", "one")
	cmd.Env = append(cmd.Env, "KUBE_EDITOR="+script)
	if r := run(t, cmd); r.code != 0 || r.out != "configmap/one edited\n" {
		t.Errorf("edit: %+v", r)
	}
	has(t, ns, "edited", "get", "configmap", "one", "-o", "jsonpath={.data.k}")
}

func TestExplainAndDiscover(t *testing.T) {
	t.Parallel()
	for want, args := range map[string][]string{
		"FIELDS:\n  containerPort\t<integer> -required-": {"explain", "pod.spec.containers.ports"},
		"    containers\t<[]Container> -required-":       {"explain", "pod", "--recursive"},
		"VERSION:    v1":        {"explain", "deployments", "--api-version=apps/v1"},
		"deployments ":          {"api-resources", "--api-group=apps"},
		"apps/v1\n":             {"api-versions"},
		"Server Version: v1.37": {"version"},
		"ok":                    {"get", "--raw", "/readyz"},
		`"swagger":"2.0"`:       {"get", "--raw", "/openapi/v2"},
		"yes\n":                 {"auth", "can-i", "create", "pods"},
		"admin":                 {"auth", "whoami"},
	} {
		has(t, "default", want, args...)
	}
	token := strings.TrimSpace(kubectl(t, "", "create", "token", "default"))
	who := kubectl(t, "", "--kubeconfig", os.DevNull, "--server", rig.APIURL(), "--insecure-skip-tls-verify", "--token", token, "auth", "whoami")
	if !strings.Contains(who, "system:serviceaccount:default:default") {
		t.Errorf("the token is %s's", who)
	}
	if r := try(t, "", "--kubeconfig", os.DevNull, "--server", rig.APIURL(), "--insecure-skip-tls-verify", "--token", token+"x", "get", "pods"); r.code != 1 || !strings.Contains(r.err, "Unauthorized") && !strings.Contains(r.err, "logged in") {
		t.Errorf("a damaged token: %+v", r)
	}
	fails(t, "default", 1, "no\n", "auth", "can-i", "create", "pods", "--as", "nobody")
	fails(t, "default", 1, `User "nobody" cannot list resource "secrets"`, "get", "secrets", "--as", "nobody")
	fails(t, "default", 1, `field "nothing" does not exist`, "explain", "pod.nothing")
}
