// Package kind tests that a kind which nobody knew when the program was built is served like
// all others, through client-go, from the moment that the table has it until it has it no more.
package kind
