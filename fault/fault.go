// Package fault knows every error that a caller of the API can see: its code,
// its HTTP status and its message in AWS's wording. Why an error happened is
// the business of the code that returns it.
package fault

import "fmt"

// A Kind is one line of the table: a code with its status and message.
type Kind struct {
	Code   string
	Status int
	// Format is the message, with fmt verbs where With fills in arguments.
	Format string
}

// An Error is a fault on its way to one caller.
type Error struct {
	Code    string
	Status  int
	Message string
}

// Error gives the code and the message, for logs.
func (e *Error) Error() string { return e.Code + ": " + e.Message }

// Is reports whether target is a fault with the same code, so that
// errors.Is(err, fault.InvalidGroupNotFound.With()) compares codes only.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// With gives the fault with its message's verbs filled in.
func (k Kind) With(args ...any) *Error {
	msg := k.Format
	if len(args) > 0 {
		msg = fmt.Sprintf(k.Format, args...)
	}
	return &Error{Code: k.Code, Status: k.Status, Message: msg}
}

// Say gives the fault with a message of its own, for codes that AWS uses with
// many texts.
func (k Kind) Say(format string, args ...any) *Error {
	return &Error{Code: k.Code, Status: k.Status, Message: fmt.Sprintf(format, args...)}
}
