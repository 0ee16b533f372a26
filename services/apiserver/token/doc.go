// Package token issues and verifies the tokens of service accounts: signed JWTs with
// Kubernetes' claims, bound to what they are for.
//
// It reads the signing keys (a Secret in kube-system, which the first apiserver makes and
// all share) and the objects that tokens are bound to, and writes nothing. What always holds: a token is
// good for the audiences that it names, until it expires, and only as long as its
// service account, and the pod, secret or node that it is bound to, are there under the
// same uid; a token that is not signed by one of the keys says nothing at all.
package token
