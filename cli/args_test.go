package main

import (
	"strings"
	"testing"

	"github.com/skerry/skerry/cli/session"
)

func TestArrange(t *testing.T) {
	parser, err := newParser(session.Env{}, &root{})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct{ line, want string }{
		{"get pods", "get pods"},
		{"get pods -n x web-1", "get --namespace=x pods web-1"},
		{"-n x get pods", "get --namespace=x pods"},
		{"get pods -o=yaml", "get --output=yaml pods"},
		{"get pods -oyaml", "get --output=yaml pods"},
		{"get pods -wA", "get --watch --all-namespaces pods"},
		{"get -A pods -l a=b,c!=d x", "get --all-namespaces --selector=a=b,c!=d pods x"},
		{"logs --tail -1 web", "logs --tail=-1 web"},
		{"logs -f web -c a", "logs --follow --container=a web"},
		{"delete pod web --wait=false x", "delete --wait=false pod web x"},
		{"exec -it web -- sh -c ls", "exec --stdin --tty web -- sh -c ls"},
		{"exec web -it -- ls -l", "exec --stdin --tty web -- ls -l"},
		{"rollout undo deploy/web --to-revision 2", "rollout undo --to-revision=2 deploy/web"},
		{"rollout status -n x deployment/web", "rollout status --namespace=x deployment/web"},
		{"create -f a.yaml", "create files --filename=a.yaml"},
		{"create -f -", "create files --filename=-"},
		{"create namespace x", "create namespace x"},
		{"create --help", "create --help"},
		{"label pod web a=b c-", "label pod web a=b c-"},
		{"get pods --nonsense x", "get --nonsense pods x"},
		{"get pods -X", "get -X pods"},
		{"get pods -n", "get pods -n"},
		{"create rolebinding b --user x --user=y", "create rolebinding --for-user=x --for-user=y b"},
		{"--user z create rolebinding b", "create rolebinding --user=z b"},
	}
	for _, tt := range tests {
		if got := strings.Join(arrange(parser.Model, strings.Fields(tt.line)), " "); got != tt.want {
			t.Errorf("%s\n got %s\nwant %s", tt.line, got, tt.want)
		}
	}
}
