# Runs on GNU make. Every target prepares what it needs; a second run does not do it again.
.DEFAULT_GOAL := help
.PHONY: help prepare demo test lint build bench bench-bundle bench-start bench-counts bench-nginx bench-waf bench-offenders bench-evidence bench-detect bench-cases chaos prove

FUNCTIONS := upload lifecycle alarm waf-logs listener-rule
# What the local cloud runs: the functions, the program that is released, and itself.
LOCAL := $(FUNCTIONS) sample-app rehearsal
# Demo, chaos and tests run what builds fast. With `tests`, so that all three build the same.
QUICK := cargo build $(LOCAL:%=-p %) -p tests

# nginx lives in /usr/sbin on Debian; sam looks for cargo-lambda on the path.
export PATH := $(CURDIR)/.venv/bin:$(PATH):/usr/sbin
export SAM_CLI_TELEMETRY := 0

help: ## Show this.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

prepare: ## Put in place what any target needs besides Rust, and what a deployment needs: .venv, nginx.
	@local/prepare deploy

demo: ## Run the whole pipeline on this machine and show that no request is lost.
	@local/prepare demo
	$(QUICK)
	target/debug/local demo

test: ## Run every test, the end-to-end story on the local cloud included, and list those that could not run.
	@local/prepare checks
	$(QUICK)
	tests/run

lint: ## Check format, code, documentation, dependencies, template and scripts.
	@local/prepare checks
	cargo fmt --check
	cargo clippy --workspace --all-targets -- -D warnings
	# Once without the tests, whose features the functions do not have when they are deployed.
	cargo check $(FUNCTIONS:%=-p %)
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --quiet
	cargo deny --locked check bans licenses sources
	cfn-lint template.yaml infra/*.yaml
	@mkdir -p target/template
	python local/cloud/emulator/transform.py template.yaml target/template/transformed.json
	cfn-lint target/template/transformed.json
	# checkov takes no merge keys, so it gets what they are written out to.
	for file in infra/*.yaml; do \
	    python local/cloud/emulator/transform.py $$file target/template/$$(basename $$file .yaml).json || exit 1; \
	done
	.venv/checkov/bin/checkov --config-file .checkov.yaml --file target/template/*.json
	sam validate --lint --template template.yaml
	zizmor --offline --no-progress --quiet --min-severity medium examples/.github
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

bench: ## Measure what the documents claim, on release binaries: 200 releases are taken back.
	@local/prepare demo
	cargo build --release $(LOCAL:%=-p %) -p bench-return
	cargo build --profile prove -p bench-plan
	target/release/bench-return --returns 200

bench-bundle: ## Measure what judging a bundle costs, up to 1 GiB and a million entries, beside unzip -t and zipfile.
	cargo build --release -p bench-bundle
	target/release/bench-bundle

bench-start: build ## Measure what a function does before its first event, beside one that does nothing.
	cargo build --release -p bench-start
	python3 bench/start/run.py

bench-counts: ## Measure what counting requests costs an instance's nginx, at 3,000 requests a second.
	@local/prepare demo
	python3 bench/counts.py

bench-nginx: ## Measure nginx on the instance beside nginx in a container, with requests of 30 s across a shift. It needs Docker.
	@local/prepare demo
	python3 bench/nginx.py

bench-waf: ## Measure how fast waf-logs reads, beside DuckDB, Python and plain serde_json.
	@local/prepare demo
	.venv/bin/pip install --quiet --requirement bench/waf/requirements.txt
	cargo build --release -p bench-waf
	.venv/bin/python bench/waf/run.py

bench-offenders: ## Play traffic with known attackers to waf-logs, fail2ban's rule and AWS's Security Automations.
	cargo run --release -p bench-waf --bin judge

bench-evidence: ## Play good and bad versions at 1 to 60,000 requests a minute to the judge of evidence and to what others do.
	cargo run --profile prove -p bench-evidence

bench-detect: ## Release versions that fail every request at 3, 60 and 3,000 requests a minute, and see how soon each is back.
	@local/prepare demo
	$(QUICK) -p bench-detect
	target/debug/bench-detect

bench-cases: ## Release versions that are hard to judge: they hang, in an outage, among scanners, in silence. It takes an hour.
	@local/prepare demo
	$(QUICK) -p bench-detect
	target/debug/bench-detect cases

chaos: ## Break everything that AWS lets break, under load, and see that it comes to rest.
	@local/prepare demo
	$(QUICK)
	target/debug/local chaos

prove: ## Explore every order of events to a bound, a million random schedules, and broken variants.
	cargo build --profile prove -p proof
	target/prove/prove
