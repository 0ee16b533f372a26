// Package docs holds the documents, and tests of what they claim: that links and paths
// lead somewhere, that commands exist, and that the tables of dependencies and
// permissions are those of the code. It has no code of its own.
package docs
