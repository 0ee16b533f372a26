// Package access decides who may do what.
//
// It reads the state (which pods are a node's, what they refer to) and writes
// nothing. What always holds: what no rule allows is forbidden, in Kubernetes' words;
// an agent sees and changes only its own node, its own pods and what these refer to.
package access
