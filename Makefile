# Activity Tracker. `make help` says what there is; README.md explains it.
# Every target installs first what it needs and this machine lacks.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules --no-print-directory

ROOT := $(CURDIR)
CACHE := $(if $(XDG_CACHE_HOME),$(XDG_CACHE_HOME),$(HOME)/.cache)/activity-tracker
export PATH := $(CACHE)/bin:$(CACHE)/go/bin:$(PATH)
# The toolchain is setup's business: no other one is fetched on the way.
export GOTOOLCHAIN := local

# go.work names the modules; server/go.mod the prefix of all their paths.
MODULES := $(patsubst ./%,%,$(shell sed -n 's,^[[:space:]]*\(\./[^[:space:]]*\)$$,\1,p' go.work))
MODULE_PREFIX := $(shell sed -n 's,^module \(.*\)/server$$,\1,p' server/go.mod)
# The modules whose tests boot whole hosts.
HOST_MODULES := $(filter-out deploy/house,$(filter deploy/%,$(MODULES)))
UNIT_MODULES := $(filter-out $(HOST_MODULES),$(MODULES))

# The time of the last commit is the time of every build of it, so that two of
# them are the same bytes.
export SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 1700000000)
# A tag v1.2.3 makes version 1.2.3. Anything else is the next release's
# forerunner ("~" sorts before it), ordered by the time of its commit.
NEXT_RELEASE := 0.1.0
VERSION ?= $(shell git describe --tags --exact-match --match 'v[0-9]*' 2>/dev/null | sed 's/^v//' | grep . \
	|| echo "$(NEXT_RELEASE)~$$(date -u -d @$(SOURCE_DATE_EPOCH) +%Y%m%d.%H%M%S).g$$(git rev-parse --short=8 HEAD 2>/dev/null || echo unknown)")
DEB_ARCH := $(shell dpkg --print-architecture 2>/dev/null || echo amd64)
PACKAGES := trackerd trackerd-gnome trackerd-server
DEB_trackerd := dist/trackerd_$(VERSION)-1_$(DEB_ARCH).deb
# It has no program in it.
ARCH_trackerd-gnome := all
DEB_trackerd-gnome := dist/trackerd-gnome_$(VERSION)-1_$(ARCH_trackerd-gnome).deb
DEB_trackerd-server := dist/trackerd-server_$(VERSION)-1_$(DEB_ARCH).deb
DEBS := $(foreach p,$(PACKAGES),$(DEB_$(p)))

BINARIES := trackerd trackctl sessiond seatinput sessiond-wayland shot trackerd-server
SOURCE_trackerd := hostd/cmd/trackerd
SOURCE_trackctl := hostd/cmd/trackctl
SOURCE_sessiond := sessiond/cmd/sessiond
SOURCE_seatinput := sessiond/cmd/seatinput
SOURCE_sessiond-wayland := sessiond/cmd/sessiond-wayland
SOURCE_shot := sessiond/cmd/shot
SOURCE_trackerd-server := server/cmd/trackerd-server

# How long `make fuzz` gives each fuzz target.
FUZZTIME ?= 20s
# A package whose tests hang is ended after this, with every stack shown. The
# slowest one needs two minutes here and may need ten on a machine that others
# keep busy.
HOST_TEST_TIMEOUT ?= 25m
UNIT_TEST_TIMEOUT ?= 15m
# Machines with a seat take five to ten minutes a test and release of Debian.
SLOW_TEST_TIMEOUT ?= 4h
# How many packages are tested at once: one more than there are processors, since many tests
# wait for clocks and programs.
UNIT_PACKAGES ?= $(shell echo $$(($$(nproc) + 1)))
# A test whose name begins so takes too long for every change, or needs what few
# changes touch. Only test-slow and test-all run it.
SLOW_TESTS := ^TestSlow
# Where `make test` leaves its results, one JSON object per line and test.
RESULTS := .cache/test
# Where tests of the pages leave a picture of each that they looked at.
PAGES := dist/pages
export ACTIVITY_TRACKER_PAGES := $(ROOT)/$(PAGES)

.PHONY: all
all: build deb ## binaries in bin/, packages in dist/

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' Makefile

SETUPS := setup-go setup-lint setup-package setup-test setup-host setup-slow
.PHONY: setup $(SETUPS)
setup: ## install everything that the other targets need
	@deploy/setup/development.sh
$(SETUPS): setup-%:
	@deploy/setup/development.sh $*
.PHONY: setup-all-tests
setup-all-tests:
	@deploy/setup/development.sh package test host

.PHONY: build $(BINARIES)
build: $(BINARIES) ## binaries in bin/
$(BINARIES): setup-go
	@echo "build: bin/$@ $(VERSION)"
	@CGO_ENABLED=0 go build -trimpath -buildvcs=false \
		-ldflags "-s -w -buildid= -X main.version=$(VERSION)" -o bin/$@ ./$(SOURCE_$@)

.PHONY: deb $(addprefix deb-,$(PACKAGES))
deb: $(addprefix deb-,$(PACKAGES)) ## the Debian packages in dist/
deb-trackerd: trackerd trackctl sessiond seatinput sessiond-wayland shot
deb-trackerd-server: trackerd-server
$(addprefix deb-,$(PACKAGES)): deb-%: setup-package
	@VERSION='$(VERSION)' ARCH='$(or $(ARCH_$*),$(DEB_ARCH))' packaging/build-deb.sh $* '$(DEB_$*)'

.PHONY: repository
repository: $(addprefix deb-,$(filter-out trackerd-server,$(PACKAGES))) ## KEY=…: the agent as a signed apt repository in dist/repository
	@KEY='$(KEY)' packaging/build-repository.sh

.PHONY: print-deb
print-deb: ## the packages' file names
	@printf '%s\n' $(DEBS)

.PHONY: lintian
lintian: deb ## check the Debian packages
	@echo "lintian: $(DEBS)"
	@# It leaves files behind in the folder for temporary ones.
	@dir=$$(mktemp -d); trap 'rm -rf "$$dir"' EXIT; \
	TMPDIR=$$dir lintian --allow-root --fail-on error,warning --pedantic --tag-display-limit 0 $(DEBS)

.PHONY: lint
lint: setup-lint ## golangci-lint in each module, shellcheck
	@for m in $(MODULES); do echo "lint: $$m"; (cd $$m && golangci-lint run ./...) || bad=1; done; \
	echo "lint: scripts"; \
	git ls-files --cached --others --exclude-standard | while read -r f; do \
		if [ -f "$$f" ] && head -n 1 "$$f" | grep -qaE '^#(!/bin/(ba)?sh| shellcheck shell=)'; then echo "$$f"; fi; done \
		| xargs -r shellcheck || bad=1; \
	[ -z "$${bad:-}" ]

.PHONY: build-modules
build-modules: setup-go ## each module by itself, without go.work
	@for m in $(MODULES); do echo "build: $$m alone"; (cd $$m && GOWORK=off go vet ./...) || bad=1; done; [ -z "$${bad:-}" ]

# Where tests and the demo find what was built.
HOST_ENV := ACTIVITY_TRACKER_DEB='$(ROOT)/$(DEB_trackerd)' ACTIVITY_TRACKER_SERVER='$(ROOT)/bin/trackerd-server' \
	ACTIVITY_TRACKER_SERVER_DEB='$(ROOT)/$(DEB_trackerd-server)' ACTIVITY_TRACKER_GNOME_DEB='$(ROOT)/$(DEB_trackerd-gnome)'
GOTESTSUM := gotestsum --format pkgname-and-test-fails --format-hide-empty-pkg --hide-summary skipped

.PHONY: test
test: setup-all-tests ## tests for every change: unit with the race detector, PostgreSQL, X, whole hosts
	@rm -rf $(RESULTS); start=$$SECONDS; bad=0; \
	$(MAKE) test-unit || bad=1; \
	$(MAKE) test-host || bad=1; \
	echo; echo "test: $$(( (SECONDS - start) / 60 )) min $$(( (SECONDS - start) % 60 )) s"; \
	.ci/count-tests $(RESULTS)/*.json; \
	exit $$bad

.PHONY: test-unit
test-unit: setup-test ## tests that boot no host: unit, race, fuzz seeds, PostgreSQL, X
	@mkdir -p $(RESULTS)
	@echo "test: $(UNIT_MODULES)"
	@CGO_ENABLED=1 $(GOTESTSUM) --jsonfile $(RESULTS)/unit.json -- \
		-p $(UNIT_PACKAGES) -race -skip '$(SLOW_TESTS)' -timeout $(UNIT_TEST_TIMEOUT) $(patsubst %,./%/...,$(UNIT_MODULES))
	@echo "test: what the pages look like is in $(PAGES)/"

# Built before the tests, whose time is bounded.
.PHONY: test-trees
test-trees: testhost
	@for s in bookworm trixie; do bin/testhost build-base --suite $$s >/dev/null; done

.PHONY: test-host
test-host: setup-all-tests build deb test-trees ## tests on booted hosts of Debian 12 and 13
	@mkdir -p $(RESULTS)
	@echo "test: $(HOST_MODULES)"
	@$(HOST_ENV) $(GOTESTSUM) --format standard-verbose --jsonfile $(RESULTS)/host.json -- \
		-count 1 -p 1 -skip '$(SLOW_TESTS)' -timeout $(HOST_TEST_TIMEOUT) $(patsubst %,./%/...,$(HOST_MODULES))

.PHONY: test-slow
test-slow: setup-all-tests setup-slow build deb test-trees ## only the tests called TestSlow…, which `make test` leaves out
	@mkdir -p $(RESULTS)
	@echo "test: $(SLOW_TESTS) in $(MODULES)"
	@$(HOST_ENV) $(GOTESTSUM) --format standard-verbose --jsonfile $(RESULTS)/slow.json -- \
		-count 1 -p 1 -run '$(SLOW_TESTS)' -timeout $(SLOW_TEST_TIMEOUT) \
		$$(grep -rl --include='*_test.go' '^func TestSlow' $(MODULES) | xargs -n 1 dirname | sort -u | sed 's,^,./,')

.PHONY: test-all
test-all: setup-all-tests setup-slow ## everything: test and test-slow; what ran and how long, and what could not run fails
	@rm -rf $(RESULTS); start=$$SECONDS; bad=0; \
	for part in unit host slow; do $(MAKE) test-$$part || bad=1; done; \
	echo; echo "test-all: $$(( (SECONDS - start) / 60 )) min $$(( (SECONDS - start) % 60 )) s"; \
	.ci/count-tests --all $(RESULTS)/*.json || bad=1; \
	exit $$bad

.PHONY: pictures
pictures: setup-test ## README.md's pictures of the pages, in docs/pictures
	@ACTIVITY_TRACKER_PICTURES='$(ROOT)/docs/pictures' go test -count 1 -run '^TestSlowPictures$$' ./server/pagetest
	@du -ch docs/pictures/*/*.webp

.PHONY: fuzz
fuzz: setup-test ## every fuzz target for FUZZTIME (20s)
	@grep -rlE --include='*_test.go' '^func Fuzz' $(MODULES) | xargs -r -n 1 dirname | sort -u | while read -r dir; do \
		sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' $$dir/*_test.go | while read -r name; do \
			echo "fuzz: $$dir $$name"; \
			go test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) ./$$dir </dev/null; \
		done; \
	done

.PHONY: bench
bench: setup-test build ## figures: the helper's cost, the daemon's and the server's speed
	@cd sessiond && go run ./bench
	@go test -run '^$$' -bench . -benchmem ./hostd/... ./server/... ./sessiond/... | sed -E '/^(ok|PASS|goos:|goarch:|cpu:|\?)/d'

.PHONY: bench-answers
bench-answers: setup-test build ## how fast the server answers with 50 million events, and about 1,000 people (30 minutes, 10 GB)
	@TRACKERD_SERVER_BENCH_EVENTS=50400000 go test -timeout 2h -run '^$$' -bench 'BenchmarkAnswers|BenchmarkPeople' -benchtime 1x ./server/bench

# What make bench-pages has: a small run takes TRACKERD_SERVER_BENCH_EVENTS=1100000.
BENCH_PAGES ?= TRACKERD_SERVER_BENCH_EVENTS=$${TRACKERD_SERVER_BENCH_EVENTS:-50400000} \
	TRACKERD_SERVER_BENCH_MACHINES=$${TRACKERD_SERVER_BENCH_MACHINES:-100000} TRACKERD_SERVER_BENCH_WATCHERS=$${TRACKERD_SERVER_BENCH_WATCHERS:-200}

.PHONY: bench-pages
bench-pages: setup-test build ## how fast the pages are with 50 million events, 100,000 machines and 200 who watch (30 minutes, 10 GB)
	@$(BENCH_PAGES) go test -timeout 2h -run '^$$' -bench BenchmarkPages -benchtime 1x ./server/bench
	@go test -timeout 30m -run '^$$' -bench BenchmarkFirstPaint -benchtime 1x ./server/pagetest

.PHONY: testhost
testhost: setup-host ## bin/testhost, which boots a host to try things on by hand
	@go build -o bin/testhost ./deploy/testhost/cmd/testhost

.PHONY: demo
demo: setup-all-tests build deb testhost ## a booted host with two people at work, and what the API says of them
	@go build -o bin/demo ./deploy/demo
	@$(HOST_ENV) exec bin/demo

.PHONY: module-path
module-path: ## PREFIX=…: another prefix for every module's path
	@test -n "$(PREFIX)" || { echo "usage: make module-path PREFIX=git.example.org/team/tracker"; exit 2; }
	@git ls-files -z | xargs -0 grep -lFZ '$(MODULE_PREFIX)' | xargs -0 -r sed -i 's,$(subst .,\.,$(MODULE_PREFIX)),$(PREFIX),g'
	@for m in $(MODULES); do gofmt -w $$m; done
	@echo "$(MODULE_PREFIX) is now $(PREFIX)"

.PHONY: clean
clean: ## remove what was built; the caches in ~/.cache stay
	rm -rf bin dist .cache
