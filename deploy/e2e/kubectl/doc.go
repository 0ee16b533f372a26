// Package kubectl tests the HTTP API with the programs that Kubernetes' users have: the
// real kubectl, client-go, Helm and controller-runtime, built from their own modules, against real
// Podman hosts. Those modules are not the product's: deploy/e2e/conformance is a module of
// its own.
package kubectl
