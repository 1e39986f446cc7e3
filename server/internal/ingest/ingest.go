// Package ingest takes in what hosts report: it enrols them, authenticates
// them, validates each event of a batch alone and hands the good ones to the store.
package ingest

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sort"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/auth"
	"activity-tracker.example/server/internal/limiter"
	"activity-tracker.example/server/internal/problem"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/events"
	"activity-tracker.example/server/internal/store/heartbeat"
	"activity-tracker.example/server/internal/store/policies"
	"activity-tracker.example/server/internal/store/uncollected"
)

const (
	// storeTimeout bounds storing a batch; a host tries again on 503.
	storeTimeout = 10 * time.Second
	// hostRequests is how many requests with events a host may have at once, from
	// before a body is read: trackerd has one, and a few that were cut off may not
	// have ended yet.
	hostRequests = 4
	// turnWait is how long a request waits until its host's others have ended.
	turnWait = 2 * time.Second
)

// Ingest answers POST /api/events and POST /api/enroll.
type Ingest struct {
	writer       *events.Writer
	directory    *directory.Directory
	policies     *policies.Policies
	notCollected *uncollected.Times
	heartbeats   *heartbeat.Heartbeats
	guard        *auth.Guard
	log          *slog.Logger
	now          func() time.Time
	memory       *memory
	limiter      *limiter.Limiter[int64]
	names        *names
	decoders     decoders
	events       *prometheus.CounterVec
	delay        prometheus.Histogram
}

// Parts are what ingest is made of.
type Parts struct {
	Writer       *events.Writer
	Directory    *directory.Directory
	Policies     *policies.Policies
	NotCollected *uncollected.Times
	Heartbeats   *heartbeat.Heartbeats
	Guard        *auth.Guard
	Log          *slog.Logger
	Metrics      prometheus.Registerer
	// Now is the server's clock.
	Now func() time.Time
}

// New makes the handlers.
func New(p Parts) *Ingest {
	in := &Ingest{
		writer: p.Writer, directory: p.Directory, policies: p.Policies, notCollected: p.NotCollected, heartbeats: p.Heartbeats, guard: p.Guard, log: p.Log, now: p.Now,
		memory: newMemory(), names: newNames(), limiter: limiter.New[int64](hostRequests, turnWait),
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "trackerd_server_events_total",
			Help: "Events that hosts sent, by what became of them: accepted, duplicate or a rejection's code.",
		}, []string{"result"}),
	}
	in.delay = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name:    "trackerd_server_event_delay_seconds",
		Help:    "How long after the end of its interval an event was stored, repeats too; hosts send every few minutes.",
		Buckets: []float64{1, 10, 60, 180, 360, 900, 3600, 6 * 3600, 86400, 7 * 86400},
	})
	p.Metrics.MustRegister(in.events, in.delay)
	return in
}

// Events is POST /api/events.
func (in *Ingest) Events(w http.ResponseWriter, r *http.Request) {
	host, err := in.guard.Sender(r)
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	end, ok := in.limiter.Take(r.Context(), host.Key)
	if !ok {
		e := problem.New(api.CodeRateLimited,
			"This host has too many requests at once; send one batch after the other.")
		e.RetryAfter = turnWait
		problem.Write(w, r, e)
		return
	}
	defer end()
	if err := checkContentType(r.Header); err != nil {
		problem.Write(w, r, err)
		return
	}
	body, leave, err := in.memory.readBody(w, r)
	defer leave()
	if err != nil {
		problem.Write(w, r, bodyProblem(err))
		return
	}
	reply, err := in.take(r, host, body)
	if errors.Is(err, events.ErrRevoked) {
		err = in.guard.Revoked(r)
	}
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	in.count(reply)
	in.rename(r, host)
	if reply.Accepted+reply.Duplicates+len(reply.Rejected) > 0 || reply.NotCollected != nil { // not where a credential was tried
		in.heartbeats.Uploaded(host.Key)
	}
	if revision := in.policies.Revision(r.Context()); revision > 0 {
		reply.PolicyRevision = &revision
	}
	problem.Send(w, http.StatusOK, reply)
}

// take validates a body and stores what is good.
func (in *Ingest) take(r *http.Request, host directory.Host, body string) (api.IngestReply, error) {
	var none api.IngestReply
	text, cut, leave, err := in.memory.wholeText(r.Context(), body, contentEncoding(r))
	if err != nil {
		return none, err
	}
	defer leave()
	b, err := in.decoders.decode(text, cut, in.now())
	if err != nil {
		return none, bodyProblem(err)
	}
	if len(b.events) == 0 {
		// Nothing will be written, where a credential that is remembered
		// would be looked at.
		if host, err = in.guard.Host(r); err != nil {
			return none, err
		}
	}
	reply, err := in.keep(r.Context(), host, b)
	if err == nil { // of machines that these events may have made
		reply.NotCollected, err = in.keepSpans(r.Context(), host.Key, host.HostID, &b.spans)
	}
	if errors.Is(err, events.ErrRevoked) {
		return none, err
	}
	return reply, auth.Answer(err)
}

// keep stores the good events and returns the reply. Without an error everything
// that it calls accepted is durable.
func (in *Ingest) keep(ctx context.Context, host directory.Host, b *batch) (api.IngestReply, error) {
	reply := api.IngestReply{Rejected: b.rejected}
	if len(b.events) == 0 {
		return reply, nil
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	written, err := in.writer.WriteEvents(ctx, events.Batch{Host: host.Key, Credential: host.Credential, Events: b.events})
	if err != nil {
		return reply, err
	}
	in.noteDelay(b.events)
	reply.Accepted, reply.Duplicates = written.Accepted, written.Duplicates
	reject := func(list []int, code api.Code, message string) {
		for _, i := range list {
			reply.Rejected = append(reply.Rejected, api.Rejection{Index: b.index[i], Code: code, Message: message})
		}
	}
	reject(written.Foreign, api.CodeForeignMachine, foreignMessage(host.HostID))
	reject(written.Erased, api.CodeErased, erasedMessage)
	reject(written.Excess, api.CodeTooManyMachines, "the host has as many machine_ids as there may be")
	sort.Slice(reply.Rejected, func(i, j int) bool { return reply.Rejected[i].Index < reply.Rejected[j].Index })
	if len(reply.Rejected) > 0 {
		in.log.Warn("events rejected", "host_id", host.HostID, "rejected", len(reply.Rejected),
			"first_code", reply.Rejected[0].Code)
	}
	return reply, nil
}

// erasedMessage is answered to what is older than its person's erasure.
const erasedMessage = "the person whose it is was erased"

// foreignMessage returns what to do about a machine_id that two hosts report.
func foreignMessage(hostID string) string {
	return "another host reported this machine_id first; if both are in use, give one of them another machine_id; " +
		"if this one took the other's place: trackerd-server machine move MACHINE_ID --to " + hostID
}

// noteDelay notes for how long each event was on its way.
func (in *Ingest) noteDelay(events []api.Event) {
	now := in.now()
	for i := range events {
		length := events[i].Interval()
		// A host's clock may be ahead.
		in.delay.Observe(max(0, (now.Sub(events[i].Timestamp) - time.Duration(length)*time.Second).Seconds()))
	}
}

func (in *Ingest) count(reply api.IngestReply) {
	in.events.WithLabelValues("accepted").Add(float64(reply.Accepted))
	in.events.WithLabelValues("duplicate").Add(float64(reply.Duplicates))
	for _, r := range reply.Rejected {
		in.events.WithLabelValues(string(r.Code)).Inc()
	}
}
