package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
	"golang.org/x/text/width"
)

// A screen is where a command writes for eyes: in columns, with colours where
// those are wanted.
type screen struct {
	out    io.Writer
	colour bool
	err    error // the first of writing
}

// A style is how a text looks on a terminal.
type style string

// The styles. Nothing is told by colour alone.
const (
	plain style = ""
	head  style = "1" // of a column, or a name that much is said of
	quiet style = "2" // ids, ages
	plus  style = "32"
	minus style = "31"
	tilde style = "33"
)

// A cell is a text in a table, with its style.
type cell struct {
	text  string
	style style
}

// colourFlag adds the flag that says when there are colours.
func colourFlag(c *cobra.Command) {
	c.Flags().String("color", "auto", "`WHEN` to use colours: always, never, or auto, which is on a terminal unless NO_COLOR is set")
	_ = c.RegisterFlagCompletionFunc("color", cobra.FixedCompletions([]string{"auto", "always", "never"}, cobra.ShellCompDirectiveNoFileComp))
}

// screenOf gives the screen of a command.
func screenOf(c *cobra.Command) (*screen, error) {
	s := &screen{out: c.OutOrStdout()}
	when := "auto"
	if f := c.Flags().Lookup("color"); f != nil {
		when = f.Value.String()
	}
	switch when {
	case "always":
		s.colour = true
	case "never":
	case "auto":
		f, ok := s.out.(*os.File)
		s.colour = ok && coloured(f)
	default:
		return nil, fmt.Errorf("--color %q: want auto, always or never", when)
	}
	return s, nil
}

// coloured reports whether a file is a terminal that wants colours.
// https://no-color.org: a variable that is set to anything but nothing.
func coloured(f *os.File) bool {
	if os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

func (s *screen) paint(c cell) string {
	if !s.colour || c.style == plain || c.text == "" {
		return c.text
	}
	return "\x1b[" + string(c.style) + "m" + c.text + "\x1b[0m"
}

// line writes cells beside each other, with a space between.
func (s *screen) line(cells ...cell) {
	var parts []string
	for _, c := range cells {
		if c.text != "" {
			parts = append(parts, s.paint(c))
		}
	}
	s.write(strings.Join(parts, " ") + "\n")
}

func (s *screen) printf(format string, args ...any) { s.write(fmt.Sprintf(format, args...)) }

func (s *screen) write(text string) {
	if s.err == nil {
		_, s.err = io.WriteString(s.out, text)
	}
}

// table writes rows in columns. Columns that are empty in every row but the
// head are left out. text/tabwriter would count colours, and wide letters as
// narrow ones.
func (s *screen) table(indent string, header []string, rows [][]cell) {
	if header != nil {
		first := make([]cell, len(header))
		for i, h := range header {
			first[i] = cell{h, head}
		}
		rows = append([][]cell{first}, rows...)
	}
	var widths []int
	for i, row := range rows {
		for j, c := range row {
			if j == len(widths) {
				widths = append(widths, 0)
			}
			if i > 0 || header == nil {
				widths[j] = max(widths[j], columns(c.text))
			}
		}
	}
	for j, h := range header {
		if widths[j] > 0 {
			widths[j] = max(widths[j], columns(h))
		}
	}
	for _, row := range rows {
		var b strings.Builder
		pad := 0
		for j, c := range row {
			if widths[j] == 0 {
				continue
			}
			if b.Len() > 0 {
				pad += 2
			}
			if c.text != "" {
				b.WriteString(strings.Repeat(" ", pad))
				b.WriteString(s.paint(c))
				pad = 0
			} else if b.Len() == 0 {
				b.WriteString(strings.Repeat(" ", widths[j]))
				continue
			}
			pad += widths[j] - columns(c.text)
		}
		s.write(indent + strings.TrimRight(b.String(), " ") + "\n")
	}
}

// columns gives how many columns a text takes on a terminal.
func columns(text string) (n int) {
	for _, r := range text {
		switch {
		case unicode.Is(unicode.Mn, r):
		case width.LookupRune(r).Kind() == width.EastAsianWide || width.LookupRune(r).Kind() == width.EastAsianFullwidth:
			n += 2
		default:
			n++
		}
	}
	return n
}
