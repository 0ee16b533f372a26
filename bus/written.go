package bus

// WrittenBy is the field of a desired value that says who wrote it and when. It stands beside the
// object's own fields; no object may have one of this name.
const WrittenBy = "writtenBy"
