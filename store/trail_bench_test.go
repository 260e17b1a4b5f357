package store_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/google/uuid"

	"moat/seal"
	"moat/state"
	"moat/store"
	"moat/trail"
)

// BenchmarkEvents is what an event costs beside its write: encoded, encrypted,
// hashed and put, many in one batch.
func BenchmarkEvents(b *testing.B) {
	for _, row := range []struct {
		name string
		ring *seal.Ring
	}{{"plain", nil}, {"encrypted", testRing(1)}} {
		b.Run(row.name, func(b *testing.B) {
			st := benchTrail(b, row.ring)
			events := make([]store.Event, 256)
			for b.Loop() {
				for i := range events {
					events[i] = benchEvent(i)
				}
				if err := st.Note(b.Context(), events...); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(events)), "ns/event")
		})
	}
}

// BenchmarkFind looks up one of 1,000 groups among many events: a page of 50.
func BenchmarkFind(b *testing.B) {
	for _, n := range []int{10_000, 200_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			st := benchTrail(b, testRing(1))
			for i := 0; i < n; i += 500 {
				events := make([]store.Event, 500)
				for j := range events {
					events[j] = benchEvent(i + j)
				}
				if err := st.Note(b.Context(), events...); err != nil {
					b.Fatal(err)
				}
			}
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			began := time.Now()
			q := &trail.Query{Account: home.Account, Terms: []string{trail.Term(trail.ByResource, "sg-00000000000000007")}, Limit: 50}
			if _, _, err := st.Find(b.Context(), q); err != nil {
				b.Fatal(err)
			}
			indexed := time.Since(began)
			runtime.GC()
			runtime.ReadMemStats(&after)
			for b.Loop() {
				found, _, err := st.Find(b.Context(), q)
				if err != nil || len(found) == 0 {
					b.Fatal(len(found), err)
				}
			}
			b.ReportMetric(float64(indexed.Nanoseconds())/float64(n), "ns-to-index/event")
			b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(n), "index-bytes/event")
		})
	}
}

func benchTrail(b *testing.B, ring *seal.Ring) *store.Store {
	st, err := store.Open(b.Context(), store.NewMemory(), store.Options{NewEventID: uuid.NewString})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { st.Close() })
	if err := st.Unlock(b.Context(), ring, false); err != nil {
		b.Fatal(err)
	}
	if _, _, err := st.Write(b.Context(), &store.Write{Call: state.Call{Scope: home, Now: begun, Random: rand.Uint64}, Plan: put("g")}); err != nil {
		b.Fatal(err)
	}
	return st
}

func benchEvent(i int) store.Event {
	group := fmt.Sprintf("sg-%017x", i%1000)
	return store.Event{
		Time: begun.Add(time.Duration(i) * time.Second), Region: home.Region, Account: home.Account, Principal: "arn:aws:iam::123456789012:user/alice",
		PrincipalID: "AIDAALICEEXAMPLE", Type: "IAMUser", UserName: "alice", AccessKey: "AKIAIOSFODNN7EXAMPLE", Source: "203.0.113.25",
		UserAgent: "aws-cli/2.9.19 Python/3.11.2", RequestID: uuid.NewString(), Service: "ec2", Action: "AuthorizeSecurityGroupIngress",
		Request:  "GroupId=" + group + "&IpPermissions.1.IpProtocol=tcp&IpPermissions.1.FromPort=22&IpPermissions.1.ToPort=22&IpPermissions.1.IpRanges.1.CidrIp=10.0.0.0%2F8",
		Changed:  []string{"us-east-1/123456789012/sg/" + group},
		Rules:    []string{fmt.Sprintf("+sgr-%017x %s in tcp 22 10.0.0.0/8", i, group)},
		Response: make([]byte, 300),
	}
}
