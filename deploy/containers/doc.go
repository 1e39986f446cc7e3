// Package containers tests what server/ is deployed with as containers, without
// an engine to run them: Dockerfile and compose file are read by their makers'
// own parsers and linters, the image's context is built from as an engine would
// see it, and the binary runs as the image would run it.
package containers
