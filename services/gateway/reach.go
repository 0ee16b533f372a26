package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/streaming/pkg/httpstream"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/bus/remote"
	"github.com/skerry/skerry/bus/stream"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/gateway/tunnel"
)

// reaches are the subresources of pods that are streams to their node; what leads to pods has
// the proxy too.
var reaches = map[string]func(*exchange, *api.Request, url.Values) error{
	"log": (*exchange).log, "exec": (*exchange).exec, "attach": (*exchange).attach, "portforward": (*exchange).forward,
	"proxy": (*exchange).proxy,
}

// reach answers with a stream into a pod.
func (x *exchange) reach(req *api.Request, serve func(*exchange, *api.Request, url.Values) error) error {
	free, err := x.s.lasting.Enter(x.who.User)
	if err != nil {
		return err
	}
	defer free()
	return serve(x, req, x.r.URL.Query())
}

// target asks the apiserver whether the user may, and where the pod is.
func (x *exchange) target(req *api.Request, verb api.Verb) (*corev1.Pod, error) {
	req.Verb = verb
	reply, err := x.s.client.Do(x.r.Context(), req)
	if err != nil {
		return nil, err
	}
	p := &corev1.Pod{}
	if err := json.Unmarshal(reply.Body, p); err != nil {
		return nil, apierrors.NewInternalError(err)
	}
	return p, nil
}

// lasting is the request's context, ended by a stopping gateway too.
func (x *exchange) lasting() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(x.r.Context())
	stop := context.AfterFunc(x.s.stopping, cancel)
	return ctx, func() { stop(); cancel() }
}

func (x *exchange) log(req *api.Request, q url.Values) error {
	if err := x.only(http.MethodGet, http.MethodHead); err != nil {
		return err
	}
	o, err := logOptions(q)
	if err != nil {
		return err
	}
	p, err := x.target(req, api.VerbGet)
	if err != nil {
		return err
	}
	ctx, cancel := x.lasting()
	defer cancel()
	x.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if p.Spec.NodeName == "" {
		x.send(http.StatusOK, nil) // nothing was written yet
		return nil
	}
	st, err := remote.Dial(ctx, x.s.conn, schemas.NodeName(p.Spec.NodeName), remote.Logs{PodLogOptions: *o, Pod: remote.PodOf(p)})
	if err != nil {
		return err
	}
	defer st.Close()
	x.copyLog(ctx, st)
	return nil
}

// copyLog sends what comes as it comes.
func (x *exchange) copyLog(ctx context.Context, st *stream.Stream) {
	control := http.NewResponseController(x.w)
	x.w.WriteHeader(http.StatusOK)
	if x.r.Method == http.MethodHead || control.Flush() != nil {
		return
	}
	for {
		f, err := st.Recv(ctx)
		if err != nil {
			if !errors.Is(err, io.EOF) && ctx.Err() == nil {
				panic(http.ErrAbortHandler) // the client must not take it for the end
			}
			return
		}
		done := bound(x.w, x.s.Limits.Write)
		if _, err := x.w.Write(f.Data); err != nil || control.Flush() != nil {
			return
		}
		done()
	}
}

// logOptions reads PodLogOptions from a query.
func logOptions(q url.Values) (*corev1.PodLogOptions, error) {
	o := &corev1.PodLogOptions{Container: q.Get("container")}
	var err error
	flag := func(name string, to *bool) {
		if v, is := q[name]; is && err == nil {
			*to, err = boolean(name, v[0])
		}
	}
	number := func(name string) *int64 {
		v := q.Get(name)
		if v == "" || err != nil {
			return nil
		}
		n, perr := strconv.ParseInt(v, 10, 64)
		if perr != nil {
			err = apierrors.NewBadRequest(name + ": must be a number")
		}
		return &n
	}
	flag("follow", &o.Follow)
	flag("previous", &o.Previous)
	flag("timestamps", &o.Timestamps)
	o.SinceSeconds, o.TailLines, o.LimitBytes = number("sinceSeconds"), number("tailLines"), number("limitBytes")
	if v := q.Get("sinceTime"); v != "" && err == nil {
		t, perr := time.Parse(time.RFC3339, v)
		if perr != nil {
			err = apierrors.NewBadRequest("sinceTime: must be a time in the form of RFC 3339")
		}
		o.SinceTime = &metav1.Time{Time: t}
	}
	return o, err
}

func boolean(name, v string) (bool, error) {
	if v == "" { // ?follow
		return true, nil
	}
	b, err := strconv.ParseBool(v)
	if err != nil {
		return false, apierrors.NewBadRequest(name + ": must be true or false")
	}
	return b, nil
}

// session reads what a command and attaching have in common, and finds the pod.
func (x *exchange) session(req *api.Request, q url.Values) (*corev1.Pod, tunnel.Streams, error) {
	var want tunnel.Streams
	if err := x.only(http.MethodGet, http.MethodPost); err != nil {
		return nil, want, err
	}
	if !httpstream.IsUpgradeRequest(x.r) {
		return nil, want, apierrors.NewBadRequest("Upgrade request required")
	}
	for name, to := range map[string]*bool{"stdin": &want.Stdin, "stdout": &want.Stdout, "stderr": &want.Stderr, "tty": &want.TTY} {
		if v, is := q[name]; is {
			var err error
			if *to, err = boolean(name, v[0]); err != nil {
				return nil, want, err
			}
		}
	}
	if want.TTY {
		want.Stderr = false // a terminal has one output
	}
	if !want.Stdin && !want.Stdout && !want.Stderr {
		return nil, want, apierrors.NewBadRequest("you must specify at least 1 of stdin, stdout, stderr")
	}
	// Whatever the method is: what comes of it is no reading.
	p, err := x.located(req)
	return p, want, err
}

// located is the pod, which must be on a node.
func (x *exchange) located(req *api.Request) (*corev1.Pod, error) {
	p, err := x.target(req, api.VerbCreate)
	if err == nil && p.Spec.NodeName == "" {
		err = apierrors.NewBadRequest("pod " + p.Name + " does not have a host assigned")
	}
	return p, err
}

func (x *exchange) exec(req *api.Request, q url.Values) error {
	p, want, err := x.session(req, q)
	if err != nil {
		return err
	}
	ctx, cancel := x.lasting()
	defer cancel()
	st, err := remote.Dial(ctx, x.s.conn, schemas.NodeName(p.Spec.NodeName), remote.Exec{Pod: remote.PodOf(p), PodExecOptions: corev1.PodExecOptions{
		Container: q.Get("container"), Command: q["command"], Stdin: want.Stdin, Stdout: want.Stdout, Stderr: want.Stderr, TTY: want.TTY,
	}})
	if err != nil {
		return err
	}
	tunnel.Command(ctx, x.w, x.r, want, st)
	return nil
}

func (x *exchange) attach(req *api.Request, q url.Values) error {
	p, want, err := x.session(req, q)
	if err != nil {
		return err
	}
	ctx, cancel := x.lasting()
	defer cancel()
	st, err := remote.Dial(ctx, x.s.conn, schemas.NodeName(p.Spec.NodeName), remote.Attach{Pod: remote.PodOf(p), PodAttachOptions: corev1.PodAttachOptions{
		Container: q.Get("container"), Stdin: want.Stdin, Stdout: want.Stdout, Stderr: want.Stderr, TTY: want.TTY,
	}})
	if err != nil {
		return err
	}
	tunnel.Command(ctx, x.w, x.r, want, st)
	return nil
}

func (x *exchange) forward(req *api.Request, _ url.Values) error {
	if err := x.only(http.MethodGet, http.MethodPost); err != nil {
		return err
	}
	if !httpstream.IsUpgradeRequest(x.r) {
		return apierrors.NewBadRequest("Upgrade request required")
	}
	p, err := x.located(req)
	if err != nil {
		return err
	}
	ctx, cancel := x.lasting()
	defer cancel()
	return tunnel.Forward(ctx, x.w, x.r, func(ctx context.Context, port uint16) (*stream.Stream, error) {
		return remote.Dial(ctx, x.s.conn, schemas.NodeName(p.Spec.NodeName), remote.Forward{Pod: remote.PodOf(p), Port: port})
	})
}
