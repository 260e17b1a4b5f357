package iam

import (
	"strings"
	"unicode/utf8"
)

// A pattern is text in which stars stand for anything, question marks for one
// character, and variables for values of the request.
type pattern struct {
	text string // as it stands in the document
	// pieces are what stands between stars: a pattern without variables has
	// them made already.
	pieces []string
	single []bool // the piece has a question mark
	parts  []part // of a pattern with variables
}

// mark stands for a question mark in a piece: no character of a policy, whose
// texts are valid UTF-8.
const mark = '\xff'

// A part is a literal text, a wildcard or a variable of a pattern.
type part struct {
	kind byte // 0 literal, '*', '?', '$' variable
	text string
	// fallback is what a variable is that the request does not have.
	fallback    string
	hasFallback bool
}

// parsePattern reads a text. Wild says whether stars and question marks are
// wildcards, vars whether ${…} is a variable; reason is what is wrong with it.
func parsePattern(text string, wild, vars bool) (p pattern, reason string) {
	p.text = text
	var parts []part
	variables := false
	lit := func(s string) {
		if n := len(parts); n > 0 && parts[n-1].kind == 0 {
			parts[n-1].text += s
		} else if s != "" {
			parts = append(parts, part{text: s})
		}
	}
	for i := 0; i < len(text); {
		c := text[i]
		switch {
		case c == '$' && vars && strings.HasPrefix(text[i:], "${"):
			end := strings.IndexByte(text[i:], '}')
			if end < 0 {
				return p, "a variable that begins with ${ has no end"
			}
			body := text[i+2 : i+end]
			i += end + 1
			switch body {
			case "*", "?", "$":
				lit(body)
				continue
			}
			v := part{kind: '$', text: body}
			if name, rest, ok := strings.Cut(body, ","); ok {
				rest = strings.TrimSpace(rest)
				if len(rest) < 2 || rest[0] != '\'' || rest[len(rest)-1] != '\'' {
					return p, "the default of a variable stands in single quotes: ${" + clip(name) + ", 'default'}"
				}
				v.text, v.fallback, v.hasFallback = strings.TrimSpace(name), rest[1:len(rest)-1], true
			}
			if !strings.Contains(v.text, ":") || strings.ContainsAny(v.text, "{$*?") {
				return p, "${" + clip(v.text) + "} is no variable"
			}
			v.text = strings.ToLower(v.text)
			parts = append(parts, v)
			variables = true
			continue
		case c == '*' && wild:
			if n := len(parts); n == 0 || parts[n-1].kind != '*' {
				parts = append(parts, part{kind: '*'})
			}
		case c == '?' && wild:
			parts = append(parts, part{kind: '?'})
		default:
			// As far as nothing special stands.
			j := i + 1
			for j < len(text) && text[j] != '$' && text[j] != '*' && text[j] != '?' {
				j++
			}
			lit(text[i:j])
			i = j
			continue
		}
		i++
	}
	if variables {
		p.parts = parts
		return p, ""
	}
	p.pieces, p.single = piecesOf(parts)
	return p, ""
}

// Like reports whether a text is what a pattern says, in which a star stands
// for anything and a question mark for one character.
func Like(text, s string) bool {
	p, _ := parsePattern(text, true, false)
	return p.match(s)
}

func piecesOf(parts []part) (pieces []string, single []bool) {
	var b strings.Builder
	one := false
	flush := func() {
		pieces, single = append(pieces, b.String()), append(single, one)
		b.Reset()
		one = false
	}
	for _, p := range parts {
		switch p.kind {
		case '*':
			flush()
		case '?':
			b.WriteByte(mark)
			one = true
		default:
			b.WriteString(p.text)
		}
	}
	flush()
	return pieces, single
}

// resolve gives a pattern with the request's values in place of its variables:
// what they hold is text, never a wildcard. It fails when the request has no
// single value for one.
func (p *pattern) resolve(e *evaluation) (pattern, bool) {
	if p.parts == nil {
		return *p, true
	}
	parts := make([]part, len(p.parts))
	for i, x := range p.parts {
		if x.kind == '$' {
			v, ok := e.single(x.text)
			switch {
			case ok:
				x = part{text: strings.ToValidUTF8(v, "�")}
			case x.hasFallback:
				x = part{text: x.fallback}
			default:
				return pattern{}, false
			}
		}
		parts[i] = x
	}
	var out pattern
	out.pieces, out.single = piecesOf(parts)
	return out, true
}

// match reports whether a resolved pattern matches the whole of s. Every piece
// is looked for once, from where the one before ended, and never again: the
// leftmost place is as good as any.
func (p *pattern) match(s string) bool {
	n := len(p.pieces) - 1
	at, ok := matchHere(p.pieces[0], p.single[0], s)
	if !ok {
		return false
	}
	if n == 0 {
		return at == len(s)
	}
	s = s[at:]
	for i := 1; i < n; i++ {
		end := find(p.pieces[i], p.single[i], s)
		if end < 0 {
			return false
		}
		s = s[end:]
	}
	return matchEnd(p.pieces[n], p.single[n], s)
}

// matchHere reports whether s begins with a piece, and how long that is.
func matchHere(piece string, single bool, s string) (int, bool) {
	if !single {
		return len(piece), strings.HasPrefix(s, piece)
	}
	at := 0
	for i := range len(piece) {
		if at == len(s) {
			return 0, false
		}
		if piece[i] != mark {
			if s[at] != piece[i] {
				return 0, false
			}
			at++
			continue
		}
		_, size := utf8.DecodeRuneInString(s[at:])
		at += size
	}
	return at, true
}

// find gives where the first occurrence of a piece in s ends, or -1.
func find(piece string, single bool, s string) int {
	if !single {
		i := strings.Index(s, piece)
		if i < 0 {
			return -1
		}
		return i + len(piece)
	}
	if len(piece)*len(s) > naiveFind {
		return findLong(piece, s)
	}
	for i := range s {
		if len(s)-i < len(piece) { // a mark stands for one byte at least
			return -1
		}
		if n, ok := matchHere(piece, true, s[i:]); ok {
			return i + n
		}
	}
	return -1
}

// naiveFind is up to which product of lengths a piece with marks is tried at
// every place in turn.
const naiveFind = 1 << 14

// findLong is find for a long piece with marks in a long text, 64 places of
// the piece at a time: after each character there is a bit for each beginning
// of the piece that the text ends with. A piece has as many characters as what
// it matches, so the first end is that of the leftmost occurrence.
func findLong(piece, s string) int {
	var chars []rune // -1 for a mark
	for i := 0; i < len(piece); {
		if piece[i] == mark {
			chars = append(chars, -1)
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(piece[i:])
		chars = append(chars, r)
		i += size
	}
	words := (len(chars) + 63) / 64
	any := make([]uint64, words)
	at := map[rune][]uint64{}
	for i, c := range chars {
		if c < 0 {
			any[i/64] |= 1 << (i % 64)
		} else if at[c] == nil {
			at[c] = make([]uint64, words)
		}
	}
	for i, c := range chars {
		if c >= 0 {
			at[c][i/64] |= 1 << (i % 64)
		}
	}
	for _, mask := range at {
		for w := range mask {
			mask[w] |= any[w]
		}
	}
	last, end := (len(chars)-1)/64, uint64(1)<<((len(chars)-1)%64)
	begun := make([]uint64, words)
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		mask := at[r]
		if mask == nil || r == utf8.RuneError && size == 1 { // a byte that is no character equals none
			mask = any
		}
		i += size
		carry := uint64(1)
		for w := range begun {
			out := begun[w] >> 63
			begun[w] = (begun[w]<<1 | carry) & mask[w]
			carry = out
		}
		if begun[last]&end != 0 {
			return i
		}
	}
	return -1
}

func matchEnd(piece string, single bool, s string) bool {
	if !single {
		return strings.HasSuffix(s, piece)
	}
	// As many characters from the end as the piece has.
	at := len(s)
	for range utf8.RuneCountInString(piece) {
		if at == 0 {
			return false
		}
		_, size := utf8.DecodeLastRuneInString(s[:at])
		at -= size
	}
	n, ok := matchHere(piece, true, s[at:])
	return ok && at+n == len(s)
}

// An arnPattern is a pattern of an ARN: six parts, each matched by itself, so
// that a star in one never reaches the next.
type arnPattern struct {
	text  string
	any   bool // a lone star
	parts [6]pattern
}

// splitARN splits a text at its first five colons, those of variables left
// aside.
func splitARN(s string) (parts [6]string, ok bool) {
	n, from, depth := 0, 0, 0
	for i := 0; i < len(s) && n < 5; i++ {
		switch {
		case s[i] == '$' && i+1 < len(s) && s[i+1] == '{':
			depth++
			i++
		case s[i] == '}' && depth > 0:
			depth--
		case s[i] == ':' && depth == 0:
			parts[n] = s[from:i]
			from = i + 1
			n++
		}
	}
	parts[5] = s[from:]
	return parts, n == 5
}

// parseARN reads a pattern of an ARN; ok is false for what is none.
func parseARN(text string, vars bool) (a arnPattern, ok bool, reason string) {
	a.text = text
	if text == "*" {
		a.any = true
		return a, true, ""
	}
	parts, ok := splitARN(text)
	if !ok {
		return a, false, ""
	}
	for i, p := range parts {
		if a.parts[i], reason = parsePattern(p, true, vars); reason != "" {
			return a, true, reason
		}
	}
	return a, true, ""
}

// An arn is an ARN taken apart once for all patterns.
type arn struct {
	text  string
	parts [6]string
	ok    bool
}

func parseValueARN(s string) arn {
	a := arn{text: s}
	from := 0
	for n := range 5 {
		i := strings.IndexByte(s[from:], ':')
		if i < 0 {
			return a
		}
		a.parts[n] = s[from : from+i]
		from += i + 1
	}
	a.parts[5], a.ok = s[from:], true
	return a
}

// match reports whether a pattern matches; resolved is false when a variable
// has no value.
func (p *arnPattern) match(e *evaluation, a *arn) (match, resolved bool) {
	if p.any {
		return true, true
	}
	match = a.ok
	for i := 5; i >= 0; i-- { // the last part tells most apart
		x := &p.parts[i]
		if x.parts != nil {
			r, ok := x.resolve(e)
			if !ok {
				return false, false
			}
			match = match && r.match(a.parts[i])
			continue
		}
		match = match && x.match(a.parts[i])
	}
	return match, true
}
