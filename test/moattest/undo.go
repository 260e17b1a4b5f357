package moattest

import (
	"maps"
	"os"
	"os/signal"
	"slices"
	"sync"
	"syscall"
	"testing"
)

var undo struct {
	sync.Mutex
	watch sync.Once
	n     int
	open  map[int]func()
}

// Undo runs f when the test ends, and also when somebody ends the test process:
// what a test makes outside of it, such as network namespaces, has to go then
// too. The last one runs first.
func Undo(tb testing.TB, f func()) {
	undo.watch.Do(func() {
		c := make(chan os.Signal, 1)
		signal.Notify(c, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
		go func() {
			<-c
			undo.Lock() // and never unlocked: nothing is made any more
			for _, n := range slices.Backward(slices.Sorted(maps.Keys(undo.open))) {
				undo.open[n]()
			}
			os.Exit(1)
		}()
	})
	undo.Lock()
	defer undo.Unlock()
	if undo.open == nil {
		undo.open = map[int]func(){}
	}
	undo.n++
	n := undo.n
	undo.open[n] = f
	tb.Cleanup(func() {
		undo.Lock()
		defer undo.Unlock()
		delete(undo.open, n)
		f()
	})
}
