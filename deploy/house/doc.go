// Package house holds the rules of this code base that a test can check: who may
// import whom, who may print, how long a file may be. It has no code of its own.
package house
