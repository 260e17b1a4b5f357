package server

import (
	"maps"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics are what a server counts, in Prometheus's form.
type Metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec

	// known holds what requests and seconds have found, by what the labels are
	// made of. A map that is seen is never changed.
	known     atomic.Pointer[map[counted]*counters]
	adding    sync.Mutex
	commits   prometheus.Histogram
	batch     prometheus.Histogram
	unsaid    prometheus.Counter
	throttled *prometheus.CounterVec
}

// NewMetrics gives metrics that have counted nothing.
func NewMetrics() *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "moat_requests_total", Help: "API requests by service, action and error code (empty for success).",
		}, []string{"service", "action", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "moat_request_seconds", Help: "Time from receiving a request to sending its reply.",
			Buckets: []float64{.00005, .0001, .00025, .0005, .001, .0025, .005, .01, .05, .25, 1, 5},
		}, []string{"service", "ok"}),
		commits: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "moat_commit_seconds", Help: "Time of one etcd transaction.",
			Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .05, .25, 1, 5},
		}),
		batch: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "moat_commit_calls", Help: "Calls committed together in one etcd transaction.",
			Buckets: prometheus.ExponentialBuckets(1, 2, 10),
		}),
	}
	m.unsaid = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "moat_audit_left_out_total", Help: "Refused calls of known principals that had no room in the audit trail; their principal's next event tells their number.",
	})
	m.throttled = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "moat_throttled_total", Help: "Requests that a bound refused, by what is bounded.",
	}, []string{"what"})
	m.known.Store(&map[counted]*counters{})
	m.registry.MustRegister(m.requests, m.seconds, m.commits, m.batch, m.unsaid, m.throttled,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Committed counts a batch; it is the store's OnCommit.
func (m *Metrics) Committed(calls int, took time.Duration) {
	m.commits.Observe(took.Seconds())
	m.batch.Observe(float64(calls))
}

// Gauge adds a value that is asked for when metrics are.
func (m *Metrics) Gauge(name, help string, value func() float64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
}

// Handler serves the metrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// counted is what becomes the labels of a request's metrics.
type counted struct {
	service      service
	action, code string
}

type counters struct {
	requests prometheus.Counter
	seconds  prometheus.Observer
}

// served counts a request. Only names of actions that exist become labels, so
// that no caller can make metrics grow.
func (m *Metrics) served(r *request, code string, took time.Duration) {
	labels := counted{r.service, r.action, code}
	if !r.known {
		labels.action = "other"
	}
	c := (*m.known.Load())[labels]
	if c == nil {
		c = m.add(labels)
	}
	c.requests.Inc()
	c.seconds.Observe(took.Seconds())
}

func (m *Metrics) add(labels counted) *counters {
	m.adding.Lock()
	defer m.adding.Unlock()
	known := maps.Clone(*m.known.Load())
	c := &counters{
		m.requests.WithLabelValues(string(labels.service), labels.action, labels.code),
		m.seconds.WithLabelValues(string(labels.service), strconv.FormatBool(labels.code == "")),
	}
	known[labels] = c
	m.known.Store(&known)
	return c
}
