// Package rbac decides by Kubernetes' roles and bindings who may do what, guards them
// against those who would give away more than they have, and makes the roles that
// every cluster has.
//
// It reads roles and bindings from the state; what it decides is written by others. What
// always holds: what no bound role allows is not allowed; nobody stores a role or a
// binding that grants what they do not have themselves, unless they may escalate or bind.
package rbac
