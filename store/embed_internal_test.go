package store

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"go.uber.org/zap"
)

// However etcd ends the process, the reason is told.
func TestEtcdEndsWithAReason(t *testing.T) {
	for name, end := range map[string]func(*zap.Logger){
		"Fatal": func(l *zap.Logger) { l.Fatal("failed to save", zap.Error(errors.New("no space left"))) },
		"Panic": func(l *zap.Logger) { l.Panic("failed to save", zap.Error(errors.New("no space left"))) },
		"With": func(l *zap.Logger) {
			l.With(zap.Int("x", 1)).Fatal("failed to save", zap.Error(errors.New("no space left")))
		},
	} {
		var logged bytes.Buffer
		got := ""
		func() {
			defer func() { recover() }() // fatal must not return
			end(etcdLogger(slog.New(slog.NewTextHandler(&logged, nil)), func(reason string) {
				got = reason
				panic(reason)
			}))
		}()
		if got != "failed to save: no space left" {
			t.Errorf("%s: the reason is %q", name, got)
		}
		if !strings.Contains(logged.String(), "no space left") || !strings.Contains(logged.String(), "part=etcd") {
			t.Errorf("%s: the log has %q", name, logged.String())
		}
	}
}
