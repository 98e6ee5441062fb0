# Runs on GNU make. Every target prepares what it needs; a second run does not do it again.
.DEFAULT_GOAL := help
.PHONY: help prepare demo test lint build bench bench-waf chaos prove

FUNCTIONS := upload lifecycle alarm waf-logs
# What the local cloud runs: the functions' release binaries, the program that is released, and itself.
LOCAL := $(FUNCTIONS) sample-app rehearsal

# nginx lives in /usr/sbin on Debian; sam looks for cargo-lambda on the path.
export PATH := $(CURDIR)/.venv/bin:$(PATH):/usr/sbin
export SAM_CLI_TELEMETRY := 0

help: ## Show this.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

prepare: ## Put in place what is needed besides Rust: .venv, nginx.
	@local/prepare

demo: prepare ## Run the whole pipeline on this machine and show that no request is lost.
	cargo build --release $(LOCAL:%=-p %)
	target/release/local demo

test: prepare ## Run every test, the end-to-end story on the local cloud included.
	cargo build --release $(LOCAL:%=-p %)
	@if cargo nextest --version >/dev/null 2>&1; then \
	    echo "cargo nextest run --workspace" && cargo nextest run --workspace; \
	else \
	    echo "cargo test --workspace" && cargo test --workspace --lib --bins --tests; \
	fi
	cargo test --workspace --doc

lint: prepare ## Check format, code, documentation, template and scripts.
	cargo fmt --check
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --quiet
	cfn-lint template.yaml
	@mkdir -p target/template
	python local/cloud/emulator/transform.py template.yaml target/template/transformed.json
	cfn-lint target/template/transformed.json
	sam validate --lint --template template.yaml
	@if command -v shellcheck >/dev/null; then \
	    scripts=$$(git ls-files --cached --others --exclude-standard | while read -r file; do \
	        case $$file in *.sh) echo "$$file"; continue ;; esac; \
	        if [ -f "$$file" ] && head -n 1 "$$file" | grep -qaE '^#!.*[/ ](ba|da)?sh$$'; then echo "$$file"; fi; \
	    done); \
	    echo "shellcheck" $$scripts; shellcheck --external-sources --source-path=SCRIPTDIR $$scripts; \
	else \
	    echo "shellcheck is not installed: the scripts were not checked"; \
	fi

build: ## Build the functions as they are deployed, for this machine's processor.
	cargo build --release $(FUNCTIONS:%=-p %)

bench: prepare ## Measure what the documents claim: 200 releases are taken back.
	cargo build --release $(LOCAL:%=-p %) -p bench-return
	cargo build --profile prove -p proof
	target/release/bench-return --returns 200

bench-waf: prepare ## Measure how fast waf-logs reads, beside DuckDB, Python and plain serde_json.
	.venv/bin/pip install --quiet --requirement bench/waf/requirements.txt
	cargo build --release -p bench-waf
	.venv/bin/python bench/waf/run.py

chaos: prepare ## Break everything that AWS lets break, under load, and see that it comes to rest.
	cargo build --release $(LOCAL:%=-p %)
	target/release/local chaos

prove: ## Explore every order of events to a bound, a million random schedules, and broken variants.
	cargo build --profile prove -p proof
	target/prove/prove
