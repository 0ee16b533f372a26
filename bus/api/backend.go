package api

import corev1 "k8s.io/api/core/v1"

// Backend is the answer to a request for a proxy to a service: one of the pods behind it.
type Backend struct {
	// Scheme is what the request named: http, https, or "".
	Scheme string `json:"scheme,omitempty"`
	// Port is the pod's, not the service's.
	Port int32       `json:"port"`
	Pod  *corev1.Pod `json:"pod"`
}
