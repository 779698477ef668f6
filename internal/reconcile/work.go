package reconcile

// work is the part of a plan that is committed.
type work struct{}
