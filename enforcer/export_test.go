package enforcer

// EveryShape gives the kernel tests the same policies that the golden files are made of.
var EveryShape = everyShape
