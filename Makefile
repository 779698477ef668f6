# tcpguard: build, check, install. `make check` is what continuous integration runs.

GO          ?= go
PREFIX      ?= /usr/local
DESTDIR     ?=
VERSION     ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
FUZZTIME    ?= 10s
TESTTIMEOUT ?= 20m

# Exact: a newer linter must not break an old commit.
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.7.0

.DEFAULT_GOAL := build
.PHONY: build install uninstall check lint fmt-check vet staticcheck test man fuzz bench bench-readme clean

build:
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags "-s -w -X main.revision=$(VERSION)" -o bin/tcpguard ./cmd/tcpguard

install: build
	install -D -m 0755 bin/tcpguard $(DESTDIR)$(PREFIX)/bin/tcpguard
	install -d $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 0644 man/*.1 $(DESTDIR)$(PREFIX)/share/man/man1/
	install -D -m 0644 systemd/tcpguard-apply.service $(DESTDIR)$(PREFIX)/lib/systemd/system/tcpguard-apply.service

# The rules in the kernel and the state directory stay: `tcpguard destroy` first, if they are to go.
uninstall:
	rm -f $(DESTDIR)$(PREFIX)/bin/tcpguard $(DESTDIR)$(PREFIX)/share/man/man1/tcpguard*.1
	rm -f $(DESTDIR)$(PREFIX)/lib/systemd/system/tcpguard-apply.service

# The tests hold the import rules, the man pages, the examples and the fuzz corpora. As root they include those that
# need a network namespace, and a test that then says "needs ..." fails the run.
check: lint test

lint: fmt-check vet staticcheck

fmt-check:
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); \
	if [ -n "$$unformatted" ]; then echo "not formatted with gofmt:"; echo "$$unformatted"; exit 1; fi

# vet compiles the tests and the benchmarks too, with and without the fault points.
vet:
	$(GO) vet ./...
	$(GO) vet -tags faultpoints ./...

staticcheck:
	$(GO) run $(STATICCHECK) ./...

# The summary's exit code is the run's: it fails when a test did, and when root skipped what root can run. A result from
# the cache says nothing about the kernel of today, so -count=1.
test:
	@$(GO) build -o bin/testsummary ./internal/ci/testsummary
	@$(GO) test -race -count=1 -json -timeout $(TESTTIMEOUT) ./... | bin/testsummary

man:
	rm -f man/*.1
	$(GO) run ./cmd/tcpguard man man

# Each fuzz target in turn, since go test fuzzes one at a time.
fuzz:
	@$(GO) test -list '^Fuzz' ./... | awk '/^Fuzz/ { names[n++] = $$1 } /^ok/ { for (i = 0; i < n; i++) print $$2, names[i]; n = 0 }' | \
	while read -r package target; do \
		echo "fuzz $$package $$target"; \
		$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$package" || exit 1; \
	done

# As root; the table for README.md, against nft(8) in the same run.
bench:
	$(GO) run ./bench/scale

# Needs a quiet machine: what it measures is what README says.
bench-readme:
	$(GO) run ./bench/scale -readme README.md

clean:
	rm -rf bin dist
	$(GO) clean -testcache
