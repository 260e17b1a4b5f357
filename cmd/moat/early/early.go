// Package early makes the program start sooner. etcd's packages register a
// hundred metrics with Prometheus when they are initialised, each in a
// goroutine of its own, which costs a command that runs no server half of its
// start. Nobody reads them: Moat's metrics have a registry of their own.
//
// Packages are initialised in the order of their paths, as soon as what they
// import is. So this one, whose path comes before etcd's because it is a
// module of its own, takes the default registry away before etcd has it.
package early

import "github.com/prometheus/client_golang/prometheus"

func init() { prometheus.DefaultRegisterer = none{} }

// none registers nothing.
type none struct{}

func (none) Register(prometheus.Collector) error  { return nil }
func (none) MustRegister(...prometheus.Collector) {}
func (none) Unregister(prometheus.Collector) bool { return true }
