// Package resolver makes the files by which a pod's containers find addresses: /etc/hosts
// and /etc/resolv.conf.
//
// It reads the host's own two files and writes a directory per pod. What always holds: a
// file is replaced as a whole; what it says follows from the pod, its address and
// the host's files alone; and it says no more than a libc takes.
package resolver
