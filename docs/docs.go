// Package docs embeds parts of the manual.
package docs

import _ "embed"

// Firewall is the page that says what the firewall promises, in numbered clauses: "[F7]"
// ends clause F7.
//
//go:embed firewall.md
var Firewall string
