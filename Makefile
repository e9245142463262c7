# Everything a person types here. `make run` and `make test` are enough to begin with.

CARGO ?= cargo
NPM ?= npm
DATA ?= data
LISTEN ?= 127.0.0.1:8080

.DELETE_ON_ERROR:
.PHONY: run test check rest-types bench instructions figures fmt app clean binary test-unit test-interop test-foreign test-e2e differential fuzz kill giants space damage structure picture

# ---- for everybody --------------------------------------------------------------------------------------

## Install what is missing, build the app and the server, serve on http://127.0.0.1:8080
run: app
	$(CARGO) build --locked --release
	./target/release/weft --listen $(LISTEN) --data $(DATA)

## Install what is missing and run every test
test: app test-unit test-interop test-foreign test-e2e

## Format, lints, documentation and its links, types, all without a finding
check: frontend/node_modules/.installed
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets --all-features -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --no-deps --document-private-items --quiet
	$(NPM) --prefix frontend run lint
	$(NPM) --prefix frontend run types
	$(MAKE) --no-print-directory rest-types CHECK=--check
	node frontend/scripts/links.mjs

## Write the page's types of the REST interface anew, from what the handlers say of themselves; `make check` finds them stale
rest-types: frontend/node_modules/.installed
	$(CARGO) run --locked --quiet --example openapi >frontend/node_modules/.openapi.json
	$(NPM) --prefix frontend run --silent rest-types -- $(CHECK)

## Measure against a bare forwarder and the servers that are installed; prints one Markdown table
bench: app
	$(CARGO) build --locked --release --workspace
	WEFT_BIN=$(CURDIR)/target/release/weft ./target/release/weft-load bench $(BENCH)

## Count the instructions of an update by callgrind, which no noisy neighbour can move
instructions: app
	@command -v valgrind >/dev/null || .ci/install valgrind
	$(CARGO) build --locked --release --workspace
	WEFT_BIN=$(CURDIR)/target/release/weft ./target/release/weft-load instructions --peer floor
	WEFT_BIN=$(CURDIR)/target/release/weft ./target/release/weft-load instructions

## Measure the app in browsers: opening, keys, strokes, large texts and boards; prints one Markdown table
figures: tests/e2e/node_modules/.installed binary
	@command -v chromium >/dev/null || .ci/install chromium
	WEFT_BIN=$(abspath $(WEFT_BIN)) $(NPM) --prefix tests/e2e run --silent figures

# ---- parts of `make test` -------------------------------------------------------------------------------

test-unit:
	$(CARGO) test --locked --workspace --features weft/test-hooks
	$(NPM) --prefix frontend test

# The binary that the npm clients and the browsers meet: as it is released, the page inside it. WEFT_BIN names another one,
# which is taken as it is: `make test-e2e WEFT_BIN=target/debug/weft`.
WEFT_BIN ?= $(CURDIR)/target/release/weft
binary: app
ifeq ($(WEFT_BIN),$(CURDIR)/target/release/weft)
	$(CARGO) build --locked --release
endif

# The real npm clients against the binary.
test-interop: tests/interop/node_modules/.installed binary
	WEFT_BIN=$(abspath $(WEFT_BIN)) $(NPM) --prefix tests/interop test

# Tests that others wrote for their servers, against the binary.
test-foreign: binary
	@command -v $(NPM) >/dev/null || .ci/install nodejs npm
	WEFT_BIN=$(abspath $(WEFT_BIN)) tests/foreign/pycrdt-websocket/run
	WEFT_BIN=$(abspath $(WEFT_BIN)) tests/foreign/text/run
	WEFT_BIN=$(abspath $(WEFT_BIN)) tests/foreign/token/run
	WEFT_BIN=$(abspath $(WEFT_BIN)) tests/foreign/schemathesis/run

# Two browsers against the binary.
test-e2e: tests/e2e/node_modules/.installed binary
	@command -v chromium >/dev/null || .ci/install chromium
	WEFT_BIN=$(abspath $(WEFT_BIN)) $(NPM) --prefix tests/e2e test

# ---- by hand --------------------------------------------------------------------------------------------

## Kill -9 and restart, CYCLES times; everything acknowledged must be there. DIALECT=hocuspocus for its clients
CYCLES ?= 1000
DIALECT ?= y-websocket
kill:
	$(CARGO) build --locked --release --workspace
	WEFT_BIN=$(CURDIR)/target/release/weft ./target/release/weft-load kill --cycles $(CYCLES) --dialect $(DIALECT)

## Random documents of five versions of Yjs, SEEDS of them, live, as one update, over REST, after a restart
SEEDS ?= 20000
differential: tests/interop/node_modules/.installed binary
	cd tests/interop && WEFT_SEEDS=$(SEEDS) WEFT_BIN=$(abspath $(WEFT_BIN)) node --test differential.test.mjs

## What one does to the structure of a text while another writes in it, in browsers, TIMES near, far and offline: no letter
## may be lost. The distances are in ms each way, as DELAYS=0,80,300
TIMES ?= 20
structure: tests/e2e/node_modules/.installed binary
	@command -v chromium >/dev/null || .ci/install chromium
	ROUNDS=$(TIMES) WEFT_BIN=$(abspath $(WEFT_BIN)) $(NPM) --prefix tests/e2e run structure

## The picture of the README, made anew from the app
picture: tests/e2e/node_modules/.installed binary
	@command -v chromium >/dev/null || .ci/install chromium
	WEFT_BIN=$(abspath $(WEFT_BIN)) $(NPM) --prefix tests/e2e run --silent picture

## Feed the guard and what is behind it with mutated input for SECONDS
SECONDS ?= 60
fuzz:
	$(CARGO) run --release --manifest-path tests/fuzz/Cargo.toml -- --seconds $(SECONDS)

## Flip bits, cut and zero blocks anywhere in a store, ROUNDS times; no more may be lost than what stood there
ROUNDS ?= 500
damage:
	WEFT_ROUNDS=$(ROUNDS) $(CARGO) test --locked --lib no_more_is_lost -- --nocapture

## Send what is large and what costs more than it is worth to a server with one worker; a bystander must not notice
giants:
	$(CARGO) build --locked --release --workspace
	WEFT_BIN=$(CURDIR)/target/release/weft ./target/release/weft-load giants

## The space workload: disk against live bytes over time
space:
	$(CARGO) bench --locked --bench store -- space

fmt:
	$(CARGO) fmt --all

clean:
	$(CARGO) clean
	rm -rf frontend/dist frontend/node_modules tests/*/node_modules tests/load/peers/node_modules tests/foreign/*/node_modules \
		tests/foreign/*/.venv tests/foreign/*/.source \
		tests/load/peers/hocuspocus/node_modules

# ---- what is made ---------------------------------------------------------------------------------------

app: frontend/dist/index.html

frontend/dist/index.html: frontend/node_modules/.installed $(shell find frontend/src frontend/public frontend/scripts frontend/index.html frontend/*.json frontend/*.ts -type f 2>/dev/null)
	$(NPM) --prefix frontend run build

%/node_modules/.installed: %/package-lock.json
	@command -v $(NPM) >/dev/null || .ci/install nodejs npm
	@echo "installing the npm packages of $*"
	cd $* && $(NPM) ci --no-audit --no-fund
	@touch $@
