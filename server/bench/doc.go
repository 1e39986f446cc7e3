// Package bench measures the server as it runs: the real program on a real
// PostgreSQL that keeps what it acknowledges, over HTTP, beside raw COPY and
// beside the plain design. It holds benchmarks only:
//
//	go test -run '^$' -bench . ./bench
package bench
