# Everything that CI and the README do. `make` alone lists it. Tools are installed into .tools/ by scripts/, pinned.

.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)
BINARY := $(TARGET_DIR)/debug/dinggate
TOOLS := .tools/venv/bin

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: rust-tools ## start the gateway with a simulated DingTalk; Ctrl-C stops it
	cargo run --locked -- sandbox

.PHONY: build
build: rust-tools ## build the debug binary, sandbox included
	cargo build --locked

.PHONY: test
test: rust-tools redis-server ## run all Rust tests
	cargo test --workspace --locked

.PHONY: fmt
fmt: rust-tools python-tools ## format the Rust code and the protos
	cargo fmt --all
	cargo fmt --manifest-path fuzz/Cargo.toml
	$(TOOLS)/buf format --write

.PHONY: fmt-check
fmt-check: rust-tools
	cargo fmt --all --check
	cargo fmt --manifest-path fuzz/Cargo.toml --check

.PHONY: lint
lint: fmt-check ## rustfmt and clippy, with and without the sandbox; a warning is an error
	cargo clippy --workspace --all-targets --locked -- --deny warnings
	cargo clippy --package dinggate --no-default-features --locked -- --deny warnings

.PHONY: doc
doc: rust-tools ## build the Rust documentation; a warning is an error
	RUSTDOCFLAGS="--deny warnings" cargo doc --workspace --no-deps --locked

.PHONY: docs
docs: rust-tools ## write the pages in docs/ from the protos and the operations (`make test` compares them)
	cargo test --locked --test docs -- --ignored --exact write_the_pages

.PHONY: deny
deny: rust-tools ## check licences, banned and duplicate crates, and where crates come from
	scripts/install_cargo_deny.sh
	.tools/cargo/bin/cargo-deny --locked check --hide-inclusion-graph bans licenses sources

# Not part of CI: it clones the advisory database, so it needs the open internet, and a new advisory must not turn an
# unchanged commit red. Run it before a release and now and then.
.PHONY: advisories
advisories: rust-tools ## check the crates against the RustSec advisories (needs the internet)
	scripts/install_cargo_deny.sh
	.tools/cargo/bin/cargo-deny --locked check advisories

.PHONY: proto
proto: python-tools ## lint the protos, check their format, and that they do not break main
	$(TOOLS)/buf lint
	$(TOOLS)/buf format --diff --exit-code
	scripts/test_check_proto_breaking.sh
	scripts/check_proto_breaking.sh

.PHONY: chart
chart: build python-tools promtool ## check the Helm chart with Helm 3 and 4, Kubernetes schemas and the built binary; its alerts with promtool
	scripts/install_helm.sh
	scripts/write_chart_readme.sh --check
	$(TOOLS)/python scripts/dashboards.py --check
	promtool check rules helm/dinggate/rules/dinggate.yaml
	promtool test rules tests/rules/alerts.yaml
	scripts/check_policy.sh
	DINGGATE_BINARY=$(abspath $(BINARY)) $(TOOLS)/python -m unittest discover --start-directory tests/chart

.PHONY: chart-docs
chart-docs: python-tools ## write the chart's README and dashboards (`make chart` compares them)
	scripts/write_chart_readme.sh
	$(TOOLS)/python scripts/dashboards.py

# Not part of CI: pictures are for eyes. No Grafana needed: a Prometheus evaluates the queries, matplotlib draws.
.PHONY: draw-dashboards
draw-dashboards: build python-tools redis-server promtool ## draw the dashboards from two gateways under load, to target/dashboards (three minutes)
	@scripts/install_python_tools.sh tests/dashboards/requirements.txt .tools/draw
	$(TOOLS)/python tests/dashboards/load.py $(BINARY) $(TARGET_DIR)/dashboards .tools/draw/bin/python

.PHONY: image-lint
image-lint: python-tools ## lint the Dockerfile
	$(TOOLS)/hadolint Dockerfile

.PHONY: image
image: ## build both images without a registry and check them (root on Debian, some minutes)
	scripts/check_image.sh

.PHONY: smoke
smoke: build python-tools promtool ## run the sandbox as a process, call it with an independent Python client, lint its metrics
	$(TOOLS)/python tests/smoke/run.py $(BINARY)

.PHONY: fuzz
fuzz: build fuzz-tools ## feed the readers of callbacks, frames and resume tokens with what strangers could send, for FUZZ_SECONDS
	scripts/fuzz.sh

.PHONY: rolling
rolling: build python-tools redis-server ## restart three replicas under load: no RPC may fail
	$(TOOLS)/python tests/rolling/run.py $(BINARY)

.PHONY: test-clients
test-clients: build python-tools redis-server ## build the programs in clients/ and run them (needs Go, Java, Node and Python)
	@scripts/install_python_tools.sh tests/clients/requirements.txt .tools/clients
	.tools/clients/bin/python tests/clients/run.py $(BINARY)

.PHONY: sdk
sdk: build ## call the simulator with DingTalk's official Python SDKs, and have it push to one
	@scripts/install_python_tools.sh scripts/sdk_requirements.txt .tools/sdk
	.tools/sdk/bin/python tests/sdk/run.py $(BINARY)

# `weather` and `floods` are not part of CI: they measure, and a machine that does other things at the same time spoils the
# figures. `floods-quick` is: all that it requires holds on a busy machine too.
.PHONY: weather
weather: rust-tools redis-server ## measure limits, retries, idempotency and caching against real processes (ten minutes)
	cargo test --release --locked --test weather -- --only limits,calls

.PHONY: weather-quick
weather-quick: rust-tools redis-server ## the same in a minute, without what depends on the speed of the machine
	cargo test --locked --test weather -- --quick --only limits,calls

.PHONY: floods
floods: rust-tools redis-server ## measure events under load, SIGKILL, cuts and restarts against real processes (six minutes)
	cargo test --release --locked --test weather -- --only events,watchers --json $(abspath $(TARGET_DIR))/tmp/floods.json

.PHONY: floods-quick
floods-quick: rust-tools redis-server ## the same in less than a minute, without what depends on the speed of the machine
	cargo test --locked --test weather -- --quick --only events,watchers --json $(abspath $(TARGET_DIR))/tmp/floods.json

# With `trained`, the compiler knows which way calls go. Cargo does not see that the file has changed, so its path tells.
training := bench/training/gateway.profdata
trained = RUSTFLAGS="-Cprofile-use=$(abspath $(TARGET_DIR))/$(shell cksum <$(training) | tr ' ' -).profdata"
# The gateway is built alone, so that no other crate adds features to it.
.PHONY: release
release: rust-tools ## build the gateway as it is shipped, without the sandbox (six minutes on two cores)
	-@bench/train.py --check
	install -D $(training) $(TARGET_DIR)/$$(cksum <$(training) | tr ' ' -).profdata
	$(trained) cargo build --release --locked --package dinggate --no-default-features

# Not part of CI either, for the same reason. The gateway is built as it is shipped, minimal and echo as cargo builds what
# nobody has tuned, and in between are those that tell what comes of which.
BENCH_PROGRAMS := $(TARGET_DIR)/bench-programs
.PHONY: bench-programs
bench-programs: release
	install -D -t $(BENCH_PROGRAMS) $(TARGET_DIR)/release/dinggate
	$(trained) cargo build --release --locked --package dinggate-bench --bin bare
	install $(TARGET_DIR)/release/bare $(BENCH_PROGRAMS)/bare-trained
	cargo build --release --locked --package dinggate-bench
	install -t $(BENCH_PROGRAMS) $(addprefix $(TARGET_DIR)/release/,load stub bare)
	install $(TARGET_DIR)/release/minimal $(BENCH_PROGRAMS)/minimal-tuned
	cargo build --profile stock --locked --package dinggate-bench --bin minimal --bin echo
	install -t $(BENCH_PROGRAMS) $(addprefix $(TARGET_DIR)/stock/,minimal echo)

# Build scripts and macros are compiled so, too, and what they would write is of no use.
TRAINING := $(TARGET_DIR)/training
.PHONY: training
training: rust-tools redis-server ## train the compiler anew, with a run under load, for `make release` and the image (15 minutes)
	@bench/train.py --ready
	LLVM_PROFILE_FILE=/dev/null RUSTFLAGS=-Cprofile-generate CARGO_TARGET_DIR=$(TRAINING) \
		cargo build --release --locked --package dinggate --no-default-features
	LLVM_PROFILE_FILE=/dev/null RUSTFLAGS=-Cprofile-generate CARGO_TARGET_DIR=$(TRAINING) \
		cargo build --release --locked --package dinggate-bench --bin bare
	cargo build --release --locked --package dinggate-bench --bin load --bin stub
	install -t $(TRAINING) $(addprefix $(TRAINING)/release/,dinggate bare) $(addprefix $(TARGET_DIR)/release/,load stub)
	bench/train.py $(TRAINING)

.PHONY: training-check
training-check: rust-tools ## see to it that the training fits what is built
	bench/train.py --check

.PHONY: bench
bench: bench-programs ## measure what a call costs, beside the least that forwards (ten minutes)
	python3 bench/run.py $(BENCH_PROGRAMS) $(TARGET_DIR)/bench

.PHONY: bench-quick
bench-quick: bench-programs ## the same in a minute, roughly
	python3 bench/run.py $(BENCH_PROGRAMS) $(TARGET_DIR)/bench-quick --quick

.PHONY: bench-scale
bench-scale: bench-programs redis-server ## measure how the cost of a call grows with apps, groups, callers, watchers, replicas
	python3 bench/scale.py $(BENCH_PROGRAMS) $(TARGET_DIR)/bench-scale

.PHONY: bench-micro
bench-micro: rust-tools ## measure how long the hot paths take, one by one
	cargo bench --locked --bench micro --no-run
	@echo 'the access lines of the RPCs go to $(TARGET_DIR)/bench-micro.log'
	cargo bench --locked --bench micro 2>$(TARGET_DIR)/bench-micro.log

# Cargo runs the program by the script, which counts what it executes. FLAGS=--accept writes what it counts.
.PHONY: instructions
instructions: rust-tools valgrind ## count what the hot paths execute, and compare it with benches/instructions.json
	cargo bench --locked --profile instructions --bench instructions \
		--config 'target."cfg(all())".runner = ["python3", "scripts/instructions.py"]' $(FLAGS)

.PHONY: instructions-accept
instructions-accept: ## write what they execute now to benches/instructions.json
	$(MAKE) instructions FLAGS="-- --accept"

.PHONY: bench-smoke
bench-smoke: build redis-server ## see to it that all programs of the benchmark answer properly, and how often the gateway asks Redis; measures no time
	cargo build --locked --package dinggate-bench
	install -D -t $(TARGET_DIR)/bench-smoke $(addprefix $(TARGET_DIR)/debug/,dinggate load stub bare minimal echo)
	install $(TARGET_DIR)/debug/minimal $(TARGET_DIR)/bench-smoke/minimal-tuned
	install $(TARGET_DIR)/debug/bare $(TARGET_DIR)/bench-smoke/bare-trained
	python3 bench/run.py $(TARGET_DIR)/bench-smoke $(TARGET_DIR)/bench-smoke --smoke

.PHONY: ci
ci: ## everything that CI runs
	.ci/run

.PHONY: clean
clean: ## remove what was built and the installed tools
	cargo clean
	rm -rf .tools
	cd clients && rm -rf go/build go/gen java/target python/.venv python/gen rust/target \
		typescript/build typescript/gen typescript/node_modules

.PHONY: python-tools
python-tools:
	@scripts/install_python_tools.sh

.PHONY: redis-server
redis-server:
	@scripts/install_package.sh redis-server redis-server "the tests need (in version 5 or newer)"

.PHONY: fuzz-tools
fuzz-tools:
	@scripts/install_package.sh c++ g++ "libFuzzer needs"

.PHONY: valgrind
valgrind:
	@scripts/install_package.sh valgrind valgrind "counting instructions needs"

.PHONY: promtool
promtool:
	@scripts/install_package.sh promtool prometheus "the checks of metrics and alerts need"

.PHONY: rust-tools
rust-tools:
	@command -v cargo >/dev/null || { echo "needs Rust 1.89 or newer with cargo, rustfmt and clippy: see rustup.rs" >&2; exit 1; }
	@command -v cc >/dev/null || { echo "needs a C compiler; on Debian: apt-get install gcc libc6-dev" >&2; exit 1; }
