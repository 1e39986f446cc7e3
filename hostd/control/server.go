package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"time"

	"activity-tracker.example/server/api"
)

// Provider is what the server needs to know of the daemon. Every method returns
// all there is; the server takes away what the asker may not see.
type Provider interface {
	Status(ctx context.Context) Status
	Doctor(ctx context.Context) api.CheckReport
	// Enroll's errors are shown to the person who enrols.
	Enroll(ctx context.Context, r EnrollRequest) (EnrollReply, error)
	Rejections
	Pauses
	Notices
	Links
}

// Limits of the socket, which every user of the host can reach.
const (
	// readTimeout bounds how long a request takes to arrive: it comes from the
	// same host.
	readTimeout = 3 * time.Second
	// replyTimeout bounds a request's work, which for the doctor and for
	// enrolling includes a server that does not answer.
	replyTimeout = 45 * time.Second
	// idleTimeout closes connections that nobody uses: trackctl asks once.
	idleTimeout = 3 * time.Second
	// maxHeaderBytes and maxBodyBytes are many times what trackctl sends.
	maxHeaderBytes = 4 << 10
	maxBodyBytes   = 8 << 10
	// stopTimeout bounds how long a stop waits for replies under way.
	stopTimeout = 2 * time.Second
)

// rootUID may see and do everything, and so may trackerd's own user.
const rootUID = 0

// Server answers trackctl's questions.
type Server struct {
	provider Provider
	log      *slog.Logger
}

// NewServer makes a server that answers from p.
func NewServer(p Provider, log *slog.Logger) *Server {
	return &Server{provider: p, log: log}
}

// Run answers on l until ctx ends, and closes l.
func (s *Server) Run(ctx context.Context, l *net.UnixListener) error {
	srv := &http.Server{
		Handler:           s.routes(),
		ReadHeaderTimeout: readTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      replyTimeout + readTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		ConnContext:       withPeer,
		BaseContext:       func(net.Listener) context.Context { return ctx },
	}
	stopped := make(chan struct{})
	defer func() { <-stopped }()
	served, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		defer close(stopped)
		<-served.Done()
		stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		if srv.Shutdown(stopCtx) != nil {
			_ = srv.Close() // replies that are still under way were given their time
		}
	}()
	err := srv.Serve(newPeerListener(l, s.log))
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve the control socket: %w", err)
}

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/status", s.status)
	mux.HandleFunc("GET /v1/sessions", s.sessions)
	mux.HandleFunc("GET /v1/doctor", s.doctor)
	mux.HandleFunc("POST /v1/enroll", s.enroll)
	mux.HandleFunc("POST "+pausePath, s.pause)
	mux.HandleFunc("POST "+resumePath, s.resume)
	mux.HandleFunc("GET "+noticePath, s.notice)
	mux.HandleFunc("POST "+noticePath, s.confirm)
	mux.HandleFunc("POST "+webPath, s.web)
	mux.HandleFunc("GET "+rejectedPath, s.rejected)
	mux.HandleFunc("POST "+rejectedPath+"/retry", s.handle(s.provider.Retry))
	mux.HandleFunc("POST "+rejectedPath+"/drop", s.handle(s.provider.Drop))
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		s.refuse(w, http.StatusNotFound, CodeNotFound, "trackerd does not know this request; is trackctl of the same version?")
	})
	return http.TimeoutHandler(newPacer().pace(mux), replyTimeout, `{"code":"failed","message":"trackerd took too long"}`)
}

func (s *Server) status(w http.ResponseWriter, r *http.Request) {
	st := visible(s.provider.Status(r.Context()), peerOf(r))
	st.Notice = s.noticeRead(r.Context(), peerOf(r))
	s.reply(w, st)
}

func (s *Server) sessions(w http.ResponseWriter, r *http.Request) {
	st := visible(s.provider.Status(r.Context()), peerOf(r))
	s.reply(w, SessionList{Sessions: st.Sessions})
}

func (s *Server) doctor(w http.ResponseWriter, r *http.Request) {
	if !privileged(peerOf(r)) {
		s.refuse(w, http.StatusForbidden, CodeForbidden, "only root may examine the whole host; use sudo")
		return
	}
	s.reply(w, s.provider.Doctor(r.Context()))
}

func (s *Server) enroll(w http.ResponseWriter, r *http.Request) {
	if !privileged(peerOf(r)) {
		s.refuse(w, http.StatusForbidden, CodeForbidden, "only root may enrol this host; use sudo")
		return
	}
	var req EnrollRequest
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBodyBytes)).Decode(&req); err != nil {
		s.refuse(w, http.StatusBadRequest, CodeBadRequest, "the request is no enrolment")
		return
	}
	reply, err := s.provider.Enroll(r.Context(), req)
	if err != nil {
		s.refuse(w, http.StatusConflict, CodeFailed, err.Error())
		return
	}
	s.reply(w, reply)
}

// visible takes from a status what the asker may not see.
func visible(st Status, uid uint32) Status {
	if st.Sessions == nil {
		st.Sessions = []Session{}
	}
	if privileged(uid) {
		return st
	}
	own := make([]Session, 0, 1)
	for _, one := range st.Sessions {
		if one.UID == uid {
			own = append(own, one)
		}
	}
	st.Sessions, st.Host = own, nil
	st.Paused = slices.DeleteFunc(slices.Clone(st.Paused), func(p Pause) bool { return p.UID != uid })
	return st
}

func privileged(uid uint32) bool { return uid == rootUID || int(uid) == os.Geteuid() }

func (s *Server) reply(w http.ResponseWriter, v any) { s.write(w, http.StatusOK, v) }

func (s *Server) refuse(w http.ResponseWriter, status int, code Code, message string) {
	s.write(w, status, &RefusalError{Code: code, Message: message})
}

func (s *Server) write(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(v); err != nil {
		s.log.Debug("reply on the control socket", "error", err) // whoever asked is gone
	}
}
