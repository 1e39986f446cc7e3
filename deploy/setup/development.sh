#!/bin/bash
# Installs what building and testing need and this machine lacks, on Debian 12 or
# 13. `make demo`, `make test` and .ci/run call it; run again, it does nothing and
# says nothing.
#
#   deploy/setup/development.sh [go] [lint] [package] [test] [host] [slow]
#
# Parts, all but slow unless named:
#   go       the Go toolchain that go.work asks for
#   lint     golangci-lint and shellcheck
#   package  nfpm and lintian
#   test     gotestsum, pebble, a C compiler for the race detector, X, PostgreSQL,
#            Chromium and axe-core
#   host     what deploy/testhost boots a disposable xrdp host with
#   slow     what only the slow tests need
#
# Debian packages go where apt puts them, everything else into
# ${XDG_CACHE_HOME:-~/.cache}/activity-tracker. A GOPROXY that is set is used.
set -euo pipefail

# Versions of tools that come from the Go module proxy, each in this one place;
# another version is built at the next call. Go's own is in go.work.
readonly GOLANGCI_LINT=v2.15.0
# v2.46 and later need modules that are not on the module proxy.
readonly NFPM=v2.45.2
readonly GOTESTSUM=v1.13.0
# An authority for certificates by ACME, for tests.
readonly PEBBLE=v2.10.1

# What checks pages for people who cannot see or cannot use a mouse, for tests (MPL-2.0),
# from npm's registry: its version, and the digest of the one file that is used.
readonly AXE_CORE=4.14.1
readonly AXE_CORE_SHA256=29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c

# What differs between the releases of Debian.
case $(# shellcheck source=/dev/null
  . /etc/os-release && echo "${VERSION_ID:-}") in
12) readonly POSTGRESQL=15 FREERDP=freerdp2-x11 PROMTOOL=prometheus ;;
*) readonly POSTGRESQL=17 FREERDP=freerdp3-x11 PROMTOOL=promtool ;;
esac

# Debian packages by part.
readonly DEBS_LINT=(shellcheck)
readonly DEBS_PACKAGE=(lintian fakeroot apt-utils gpg gpg-agent gpgv)
readonly DEBS_TEST=(
  gcc libc6-dev                                # the race detector is cgo
  libxcb1-dev libxcb-xinput-dev                # the C listener that bench compares with
  xvfb xserver-xephyr xdotool openbox xterm x11-utils x11-xserver-utils wmctrl xauth
  sway kwin-wayland                            # Wayland sessions
  dbus dbus-x11 "postgresql-$POSTGRESQL" "postgresql-client-$POSTGRESQL" pgbouncer
  chromium fonts-dejavu-core                   # looks at the pages
)
# Gets axe-core, and makes clients from the API's description. A Node.js of another origin
# has its own npm, which Debian's conflicts with.
DEBS_NPM=()
command -v npm >/dev/null || DEBS_NPM=(nodejs npm)
readonly DEBS_NPM
readonly DEBS_HOST=(
  mmdebstrap debian-archive-keyring systemd systemd-container util-linux iproute2
  "$FREERDP" xvfb xdotool imagemagick curl
  # What runs our compose file.
  docker-compose podman crun netavark aardvark-dns buildah iptables
  # Machines with a seat.
  qemu-system-x86 qemu-utils e2fsprogs
)

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/activity-tracker
readonly ROOT CACHE
START=$SECONDS

SAID=''
say() {
  SAID=yes
  printf 'setup: [%3d s] %s\n' $((SECONDS - START)) "$*" >&2
}
fail() {
  say "$*"
  exit 1
}

# as_root runs a command as root, which apt needs.
as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo -- "$@"
  else
    fail "must be root for: $*"
  fi
}

# logged runs a command, and shows what it said only if it fails.
logged() {
  local log=$CACHE/setup.log
  if ! "$@" >"$log" 2>&1 </dev/null; then
    tail -n 30 "$log" >&2
    fail "failed (whole output in $log): $*"
  fi
}

# debs installs those of the named Debian packages that are missing.
debs() {
  local missing=() name
  for name in $(printf '%s\n' "$@" | sort -u); do
    if [ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null)" != installed ]; then
      missing+=("$name")
    fi
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  command -v apt-get >/dev/null || fail "no apt-get here; install by hand: ${missing[*]}"
  say "apt: ${missing[*]}"
  keep_postgres_quiet
  case " ${missing[*]} " in *" pgbouncer "*) keep_pgbouncer_quiet ;; esac
  # The lists may be missing or old: fetched only if installing without fails.
  local install=(env DEBIAN_FRONTEND=noninteractive apt-get -y -q
    -o DPkg::Lock::Timeout=600 install --no-install-recommends "${missing[@]}")
  if ! as_root "${install[@]}" >"$CACHE/setup.log" 2>&1 </dev/null; then
    say "apt: fetching the package lists first"
    logged as_root apt-get -q update
    logged as_root "${install[@]}"
  fi
}

# keep_postgres_quiet has Debian's PostgreSQL install its programs without
# making and starting a database server: tests and the demo run private ones.
keep_postgres_quiet() {
  local conf=/etc/postgresql-common/createcluster.d/activity-tracker.conf
  [ ! -e "$conf" ] && [ ! -d /etc/postgresql ] || return 0
  as_root mkdir -p "${conf%/*}"
  echo "create_main_cluster = false" | as_root tee "$conf" >/dev/null
}

# keep_pgbouncer_quiet has Debian's pgbouncer install its program without
# starting it, now or at the next boot, where systemd runs this machine: it is
# masked, which `systemctl unmask pgbouncer` undoes.
keep_pgbouncer_quiet() {
  local unit=/etc/systemd/system/pgbouncer.service
  [ ! -e "$unit" ] && [ ! -L "$unit" ] || return 0
  as_root mkdir -p "${unit%/*}"
  as_root ln -s /dev/null "$unit"
}

# at_least VERSION WANTED compares versions such as 1.26.8.
at_least() { [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$2" ]; }

# go_version PROGRAM prints the version of a Go toolchain, without fetching the
# one that a go.work nearby may name.
go_version() {
  (cd / && GOTOOLCHAIN=local GOFLAGS='' GOWORK=off "$1" env GOVERSION 2>/dev/null) | sed 's/^go//; s/[ -].*//'
}

# with_go makes `go` in PATH one that is new enough.
with_go() {
  local wanted have
  wanted=$(sed -n 's/^toolchain go//p' "$ROOT/go.work")
  [ -n "$wanted" ] || fail "go.work names no toolchain"
  PATH=$CACHE/bin:$CACHE/go/bin:$PATH
  if command -v go >/dev/null; then
    have=$(go_version go)
    if at_least "${have:-0}" "$wanted"; then return; fi
  fi
  bootstrap_go "$wanted"
  hash -r
}

# bootstrap_go gets a Go toolchain from the module proxy, by means of any older
# Go, and leaves it under $CACHE/go.
bootstrap_go() {
  local wanted=$1 arch module out dir
  arch=$(dpkg --print-architecture)
  command -v go >/dev/null || debs golang-go ca-certificates
  module=golang.org/toolchain@v0.0.1-go$wanted.linux-$arch
  say "Go $wanted from the module proxy"
  # Outside any module, since Debian's Go cannot read our go.work; without
  # GOFLAGS, which may hold flags that this command refuses.
  if ! out=$(cd / && GOTOOLCHAIN=local GOFLAGS='' GOWORK=off GO111MODULE=on go mod download -json "$module"); then
    printf '%s\n' "$out" >&2
    fail "cannot download $module"
  fi
  dir=$(printf '%s\n' "$out" | sed -n 's/^[[:space:]]*"Dir": "\(.*\)",\{0,1\}$/\1/p')
  [ -x "$dir/bin" ] || fail "$module came without a folder: $out"
  # Modules carry no executable bits.
  chmod -R +x "$dir/bin" "$dir/pkg/tool"
  ln -sfn "$dir" "$CACHE/go"
  [ "$(go_version "$CACHE/go/bin/go")" = "$wanted" ] || fail "$CACHE/go is not Go $wanted"
}

# go_tool NAME PACKAGE VERSION builds a tool from the module proxy.
go_tool() {
  local name=$1 package=$2 version=$3
  local stamp=$CACHE/bin/.$name-version
  if [ -x "$CACHE/bin/$name" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$version" ]; then return; fi
  say "building $name $version"
  logged in_root_env "$package@$version"
  echo "$version" >"$stamp"
}

# promtool takes the checker of alert rules out of Debian's package, which on
# Debian 12 is Prometheus itself: installing that would start a server.
promtool() {
  local dir
  [ ! -x "$CACHE/bin/promtool" ] || return 0
  say "promtool from Debian's $PROMTOOL"
  dir=$(mktemp -d "$CACHE/promtool.XXXXXX")
  # The lists may be missing or old: fetched only if it fails without.
  if ! (cd "$dir" && apt-get -q download "$PROMTOOL") >"$CACHE/setup.log" 2>&1; then
    logged as_root apt-get -q update
    (cd "$dir" && logged apt-get -q download "$PROMTOOL")
  fi
  logged dpkg-deb -x "$dir/$PROMTOOL"_*.deb "$dir/root"
  mv "$dir/root/usr/bin/promtool" "$CACHE/bin/promtool"
  rm -rf "$dir"
}

# axe_core takes one file out of an npm package.
axe_core() {
  local dir file=$CACHE/axe-core/axe.min.js
  if echo "$AXE_CORE_SHA256  $file" | sha256sum --check --status 2>/dev/null; then return; fi
  say "axe-core $AXE_CORE from npm's registry"
  dir=$(mktemp -d "$CACHE/axe-core.XXXXXX")
  (cd "$dir" && logged npm pack --silent "axe-core@$AXE_CORE" && tar -xzf "axe-core-$AXE_CORE.tgz")
  echo "$AXE_CORE_SHA256  $dir/package/axe.min.js" | sha256sum --check --status ||
    fail "axe-core $AXE_CORE is not the file that was looked at: see AXE_CORE_SHA256"
  mkdir -p "${file%/*}"
  mv "$dir/package/axe.min.js" "$file"
  rm -rf "$dir"
}

in_root_env() {
  (cd / && GOBIN="$CACHE/bin" GOFLAGS='' GOWORK=off GOTOOLCHAIN=local CGO_ENABLED=0 go install "$1")
}

# packages prints the Debian packages that a part needs.
packages() {
  case $1 in
  go) ;;
  lint) printf '%s\n' "${DEBS_LINT[@]}" ;;
  package) printf '%s\n' "${DEBS_PACKAGE[@]}" ;;
  test) printf '%s\n' "${DEBS_TEST[@]}" "${DEBS_NPM[@]}" ;;
  host) printf '%s\n' "${DEBS_HOST[@]}" ;;
  slow) [ ${#DEBS_NPM[@]} = 0 ] || printf '%s\n' "${DEBS_NPM[@]}" ;;
  *) fail "no part called $1; there are go, lint, package, test, host and slow" ;;
  esac
}

# tools builds what a part needs beyond Debian's packages.
tools() {
  case $1 in
  lint) go_tool golangci-lint github.com/golangci/golangci-lint/v2/cmd/golangci-lint $GOLANGCI_LINT ;;
  package) go_tool nfpm github.com/goreleaser/nfpm/v2/cmd/nfpm $NFPM ;;
  test)
    go_tool gotestsum gotest.tools/gotestsum $GOTESTSUM
    go_tool pebble github.com/letsencrypt/pebble/v2/cmd/pebble $PEBBLE
    promtool
    axe_core
    ;;
  esac
}

main() {
  local part wanted=()
  [ $# -gt 0 ] || set -- go package test host lint
  mkdir -p "$CACHE/bin"
  # One at a time: two would build the same tool twice, or fight over dpkg.
  exec 9>"$CACHE/setup.lock"
  flock 9
  for part in "$@"; do
    packages "$part" >/dev/null # ends here if there is no such part
    mapfile -t -O ${#wanted[@]} wanted < <(packages "$part")
  done
  # All of them in one go: apt's own start costs more than most packages.
  [ ${#wanted[@]} = 0 ] || debs "${wanted[@]}"
  with_go
  for part in "$@"; do tools "$part"; done
  [ -z "$SAID" ] || say "ready"
}

main "$@"
