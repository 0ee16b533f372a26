// Package feed remembers the last changes of each resource, so that a watch can go on
// where it ended and a list can show an earlier moment.
//
// It reads the changes of a view, and writes nothing. What always holds: entries are
// in order of revision; what is forgotten is known as such (Expired); memory is bounded
// in time and number, whatever watchers do, for they hold a cursor and no queue.
package feed
