package iam

import (
	"sync"

	"github.com/fxamacker/cbor/v2"
)

// A Text is the document of a policy, as it was given. It is parsed when it is
// first asked for, and then once: rows are copied with what was parsed. The
// zero Text is empty.
type Text struct {
	text string
	once *parsedOnce
}

type parsedOnce struct {
	sync.Once
	policy *Policy
	err    error
}

// NewText gives the document with a text.
func NewText(text string) Text { return Text{text, new(parsedOnce)} }

// String gives the document as it was given.
func (t Text) String() string { return t.text }

// Policy gives what the document says. Name and source are set in it when it
// is parsed; they are the same for every holder of the text.
func (t Text) Policy(kind PolicyKind, name, source string) (*Policy, error) {
	o := t.once
	if o == nil {
		o = new(parsedOnce)
	}
	o.Do(func() {
		if o.policy, o.err = ParsePolicy([]byte(t.text), kind); o.err == nil {
			o.policy.Name, o.policy.Source = name, source
		}
	})
	return o.policy, o.err
}

// MarshalCBOR stores the text.
func (t Text) MarshalCBOR() ([]byte, error) { return cbor.Marshal(t.text) }

// UnmarshalCBOR reads it back.
func (t *Text) UnmarshalCBOR(b []byte) error {
	var text string
	if err := cbor.Unmarshal(b, &text); err != nil {
		return err
	}
	*t = NewText(text)
	return nil
}
