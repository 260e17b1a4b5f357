package vpc

import "time"

// A Guardrail is a sentence about what must never be so in an account, whoever
// brings it about. What the sentence means is known to package guardrail.
type Guardrail struct {
	Name     string    `cbor:"1,keyasint"`
	Sentence string    `cbor:"2,keyasint"`
	Created  time.Time `cbor:"3,keyasint"`
	// Author is the ARN of who set it last.
	Author string `cbor:"4,keyasint"`
}
