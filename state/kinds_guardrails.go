package state

import "moat/vpc"

// Guardrails live in the space of an account and no region: they hold in every
// region of it.
var Guardrails = &Kind[string, vpc.Guardrail]{
	n: guardrails, name: "guardrail", key: func(g *vpc.Guardrail) string { return g.Name },
}
