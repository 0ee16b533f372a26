//go:build linux

package up

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/identity"
	"github.com/skerry/skerry/cli/config"
	"github.com/skerry/skerry/cli/failure"
	"github.com/skerry/skerry/cli/session"
	"github.com/skerry/skerry/schemas/kinds"
	"github.com/skerry/skerry/services/gateway"
	"github.com/skerry/skerry/services/gateway/certificate"
)

const (
	// defaultAPI is where kubectl's users expect an API server.
	defaultAPI = "127.0.0.1:6443"
	// noAPI turns the HTTP API off.
	noAPI = "none"
	// adminLife is how long the certificate in the kubeconfig lasts; every start makes
	// another one.
	adminLife = 365 * 24 * time.Hour
)

func (d dataDir) pki() string        { return d.path("pki") }
func (d dataDir) kubeconfig() string { return d.path("kubeconfig") }

// listenAPI opens the HTTP API's address. Without one that was asked for, a taken
// default is no reason not to start: why says what to do.
func listenAPI(address string) (l net.Listener, why string, err error) {
	switch address {
	case noAPI:
		return nil, "none (--api none)", nil
	case "":
		l, err = net.Listen("tcp", defaultAPI)
		if errors.Is(err, syscall.EADDRINUSE) {
			return nil, fmt.Sprintf("none: %s is in use; start with --api HOST:PORT to serve it elsewhere", defaultAPI), nil
		}
	default:
		l, err = net.Listen("tcp", address)
	}
	if err != nil {
		return nil, "", fmt.Errorf("listen for the HTTP API (--api %s turns it off): %w", noAPI, err)
	}
	return l, "", nil
}

// apiNames are what the server at l may be called: what listens everywhere is reached at
// each of this machine's addresses.
func apiNames(l net.Listener, more ...string) []string {
	names := []string{
		"localhost", "127.0.0.1", "::1",
		"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local",
	}
	if h, err := os.Hostname(); err == nil {
		names = append(names, h)
	}
	a, _ := l.Addr().(*net.TCPAddr)
	switch {
	case a == nil:
	case a.IP.IsUnspecified():
		addresses, err := net.InterfaceAddrs()
		if err != nil {
			break // the names above are left
		}
		for _, i := range addresses {
			if n, ok := i.(*net.IPNet); ok {
				names = append(names, n.IP.String())
			}
		}
	default:
		names = append(names, a.IP.String())
	}
	slices.Sort(names)
	return slices.Compact(slices.DeleteFunc(append(names, more...), func(s string) bool { return s == "" }))
}

// apiEndpoint is where other hosts reach the HTTP API that listens at address on this
// machine, which is at own; invalid if they do not.
func apiEndpoint(address, own string) netip.AddrPort {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return netip.AddrPort{}
	}
	if host == "" || host == "0.0.0.0" || host == "::" {
		host = own
		if host == "" {
			host = routedAddress()
		}
	}
	at, err := netip.ParseAddrPort(net.JoinHostPort(host, port))
	if err != nil || at.Addr().IsLoopback() || !at.Addr().Is4() || at.Port() == 0 {
		return netip.AddrPort{}
	}
	return at
}

// apiURL is what clients on this machine call the server at l.
func apiURL(l net.Listener) string { return reachable("https://"+l.Addr().String(), "127.0.0.1") }

// gatewayService answers HTTP requests on l.
func gatewayService(l net.Listener, a *certificate.Authority, names []string, version string, log *slog.Logger) service {
	return service{"gateway", identity.RoleGateway, "system:gateway", func(ctx context.Context, conn *bus.Conn) error {
		return gateway.Run(ctx, conn, gateway.Config{
			Listener: l, Certificate: a.Server(names...).Certificate, ClientCAs: a.Pool(), Authority: a,
			Table: kinds.Table(), Version: version, Log: log.With("service", "gateway"),
		})
	}}
}

// rootCA is what clients of the HTTP API trust; nothing if there will be none.
func (c *cluster) rootCA() (string, error) {
	if c.up.API == noAPI {
		return "", nil
	}
	a, err := certificate.Load(c.dir.pki())
	if err != nil {
		return "", err
	}
	return string(a.PEM()), nil
}

// startGateway serves the HTTP API and writes the admin's kubeconfig.
func (c *cluster) startGateway(ctx context.Context) error {
	l, why, err := listenAPI(c.up.API)
	if err != nil || l == nil {
		c.apiNote = why
		return err
	}
	a, err := certificate.Load(c.dir.pki())
	if err == nil {
		err = c.startService(ctx, gatewayService(l, a, apiNames(l, c.up.Address, c.up.apiAddress()), c.s.Version, c.log))
	}
	if err != nil {
		l.Close()
		return err
	}
	c.apiNote = apiURL(l)
	kc, err := adminKubeconfig(a, apiURL(l))
	if err != nil {
		return err
	}
	if err := config.WriteFile(c.dir.kubeconfig(), kc); err != nil {
		return fmt.Errorf("write kubeconfig: %w", err)
	}
	c.apiNote += ", kubeconfig at " + c.dir.kubeconfig()
	return nil
}

// adminKubeconfig is a kubeconfig whose user may do everything.
func adminKubeconfig(a *certificate.Authority, url string) ([]byte, error) {
	return makeKubeconfig(a, url, string(adminService.user), []string{"system:masters"}, adminLife)
}

func makeKubeconfig(a *certificate.Authority, url, user string, groups []string, life time.Duration) ([]byte, error) {
	cert, key, err := a.Client(user, groups, life)
	if err != nil {
		return nil, err
	}
	return config.Kubeconfig(config.Kube{Cluster: "skerry", Server: url, User: user, CA: a.PEM(), Cert: cert, Key: key})
}

// Kubeconfig is `skerry config kubeconfig`.
type Kubeconfig struct {
	DataDir string        `help:"Folder of the cluster, with its keys (default: as for up)." placeholder:"DIR"`
	URL     string        `name:"api-url" help:"Address of the HTTP API." default:"https://127.0.0.1:6443" placeholder:"URL"`
	Groups  []string      `name:"group" help:"With --user: a group that the user is in; may be repeated." placeholder:"NAME"`
	Life    time.Duration `name:"valid-for" help:"How long the certificate lasts." default:"8760h" placeholder:"DURATION"`
	Out     string        `short:"o" name:"out" help:"File to write (default: stdout)." placeholder:"FILE"`
}

// Run implements the command.
func (c *Kubeconfig) Run(s *session.Session) error {
	user, groups := s.Globals.User, c.Groups
	switch {
	case user == "" && len(groups) > 0:
		return failure.Usage("--group needs --user: without them it is the admin's")
	case c.Life <= 0:
		return failure.Usage("--valid-for must be more than nothing")
	case user == "":
		user, groups = string(adminService.user), []string{"system:masters"}
	}
	dir := resolve(s, c.DataDir)
	if !dir.hasAuthority() {
		return fmt.Errorf("no cluster was started from %s: --data-dir says where its keys are", dir)
	}
	a, err := certificate.Load(dir.pki())
	if err != nil {
		return err
	}
	kc, err := makeKubeconfig(a, c.URL, user, groups, c.Life)
	if err != nil {
		return err
	}
	if c.Out == "" {
		s.Printf("%s", kc)
		return nil
	}
	if err := config.WriteFile(s.Path(c.Out), kc); err != nil {
		return fmt.Errorf("write kubeconfig: %w", err)
	}
	s.Printf("kubeconfig of %s written to %s\n", user, c.Out)
	return nil
}

// ServeGateway is `skerry serve gateway`.
type ServeGateway struct {
	Remote
	Listen  string   `help:"Address to serve HTTPS at." default:"127.0.0.1:6443" placeholder:"HOST:PORT"`
	DataDir string   `help:"Folder with the cluster's certificate authority (pki/); copied from the first host, all gateways' certificates hold for the same clients (default: as for up)." placeholder:"DIR"`
	Names   []string `name:"name" help:"Another name or address that clients reach it at; may be repeated." placeholder:"NAME"`
}

// Run implements the command.
func (c *ServeGateway) Run(ctx context.Context, s *session.Session) error {
	a, err := certificate.Load(resolve(s, c.DataDir).pki())
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("listen for the HTTP API: %w", err)
	}
	defer l.Close()
	log := c.log(s)
	return c.run(ctx, s, gatewayService(l, a, apiNames(l, c.Names...), s.Version, log), log)
}
