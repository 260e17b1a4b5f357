package words

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ParseWhen reads which state is meant: a revision, as 12; the present, as now,
// or some revisions before it, as now-1; a time, as 2026-01-31,
// "2026-01-31 14:05" or RFC 3339, where one without a zone is of now's; or how
// long ago, as 90m, 3h, 2d, 1w. It gives the text that is the same for
// everybody: a revision, now, now-N, or a time of RFC 3339.
func ParseWhen(text string, now time.Time) (string, error) {
	s := strings.TrimSpace(strings.ToLower(text))
	if s == "now" {
		return s, nil
	}
	if back, ok := strings.CutPrefix(s, "now-"); ok {
		if n, err := strconv.ParseUint(back, 10, 63); err == nil {
			return "now-" + strconv.FormatUint(n, 10), nil
		}
	}
	if n, err := strconv.ParseUint(s, 10, 63); err == nil {
		return strconv.FormatUint(n, 10), nil
	}
	if d, ok := parseAge(strings.TrimSuffix(s, " ago")); ok {
		return now.Add(-d).UTC().Format(time.RFC3339Nano), nil
	}
	upper := strings.ToUpper(s)
	if t, err := time.Parse(time.RFC3339Nano, upper); err == nil {
		return t.UTC().Format(time.RFC3339Nano), nil
	}
	for _, layout := range []string{"2006-01-02 15:04:05", "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02T15:04", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, upper, now.Location()); err == nil {
			return t.UTC().Format(time.RFC3339Nano), nil
		}
	}
	for _, layout := range []string{"15:04:05", "15:04"} { // of today
		if t, err := time.ParseInLocation(layout, upper, now.Location()); err == nil {
			y, m, d := now.Date()
			t = time.Date(y, m, d, t.Hour(), t.Minute(), t.Second(), 0, now.Location())
			return t.UTC().Format(time.RFC3339Nano), nil
		}
	}
	return "", fmt.Errorf("%q is no revision or time: want such as 12, now-1, 3h, 2d, 14:05, 2026-01-31 or \"2026-01-31 14:05\"", text)
}

// parseAge reads 90m, 3h, 2d, 1w, also with a space between.
func parseAge(s string) (time.Duration, bool) {
	i := strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' })
	if i <= 0 {
		return 0, false
	}
	n, err := strconv.ParseUint(s[:i], 10, 31)
	unit, ok := map[string]time.Duration{
		"s": time.Second, "m": time.Minute, "min": time.Minute, "h": time.Hour, "d": 24 * time.Hour, "w": 7 * 24 * time.Hour,
	}[strings.TrimSpace(s[i:])]
	if err != nil || !ok || time.Duration(n) > (1<<62)/unit {
		return 0, false
	}
	return time.Duration(n) * unit, true
}
