package words

import (
	"testing"
	"time"
)

func TestParseWhen(t *testing.T) {
	now := time.Date(2026, 3, 10, 15, 0, 0, 0, time.FixedZone("", 2*3600))
	for text, want := range map[string]string{
		"12": "12", "0": "0", "now": "now", "now-1": "now-1", "NOW-12": "now-12",
		"90m": "2026-03-10T11:30:00Z", "3h": "2026-03-10T10:00:00Z", "2d": "2026-03-08T13:00:00Z", "1w": "2026-03-03T13:00:00Z", "3 d ago": "2026-03-07T13:00:00Z",
		"2026-03-09": "2026-03-08T22:00:00Z", "2026-03-09 14:05": "2026-03-09T12:05:00Z", "2026-03-09T14:05:06": "2026-03-09T12:05:06Z",
		"2026-03-09T14:05:06Z": "2026-03-09T14:05:06Z", "2026-03-09T14:05:06.5+01:00": "2026-03-09T13:05:06.5Z", "14:05": "2026-03-10T12:05:00Z",
		"": "", "yesterday": "", "now-": "", "now-x": "", "-1": "", "3 fortnights": "", "2026-13-01": "", "99999999999999999999": "",
	} {
		got, err := ParseWhen(text, now)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q is %q, %v; want %q", text, got, err, want)
		}
	}
}
