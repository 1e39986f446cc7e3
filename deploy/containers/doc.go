// Package containers tests what server/ is deployed with as containers.
// Dockerfile and compose file are read by their makers' own parsers and linters,
// the image's context is built from as an engine would see it, and the binary runs
// as the image would run it. A slow test starts the files as they stand on an
// engine: Debian's podman, which speaks Docker's API, in namespaces of its own. It
// needs root, and Debian 12 or 13; the images that the files begin with are made
// here, since no registry is reached.
package containers
