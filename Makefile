# Two commands do everything on a fresh machine: `make study` and `make test`. `make check` is what to run before a commit.
# `make docs` builds the site, without network; `make screenshots` takes the documents' pictures of the report and MLflow's UI anew.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

PYTEST := $(BIN)/python -m pytest --numprocesses 2 --dist worksteal

.PHONY: install study check test style types quick system screenshots docs

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	@echo 'Installing into $(VENV), 2.5 GB with torch, Ray and MLflow: a minute or two'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/pip install --quiet --constraint constraints.txt --editable . --group dev
	touch $@

study: install
	$(BIN)/python studies/ablate_alpha.py

# mypy beside the tests: its half minute is one core's
check: install
	$(MAKE) --jobs 2 style types quick

test: install system style types
	$(PYTEST) --durations 30

style: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache
	$(BIN)/codespell

types: install
	$(BIN)/mypy

quick: install
	$(PYTEST) --quiet -m 'not services and not slow'

# The accelerator wants a C++ compiler, MLflow's UI is tested in Chromium, its server also with PostgreSQL; who is not root and
# lacks one is told, and its tests are skipped
system:
	@command -v c++ >/dev/null && command -v chromium >/dev/null && command -v chromedriver >/dev/null && ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends g++ libc6-dev chromium chromium-driver postgresql >/dev/null || \
		echo 'g++, Chromium and PostgreSQL could not be installed: the tests that need them are skipped'; \
	else echo 'A C++ compiler, Chromium with chromedriver or PostgreSQL is missing here: the tests that need them are skipped'; fi

screenshots: study system docs
	$(BIN)/python -m pytest tests/tracking/test_mlflow_ui.py
	for name in list comparison run ledger; do cp build/screenshots/$$name.png docs/images/mlflow_$$name.png; done
	$(BIN)/python studies/tune_semigan.py --smoke --out build/screenshots/tuning
	for each in report=runs/ablate_alpha/mnist1d-201/report.html tuning=build/screenshots/tuning/report.html \
		documentation=build/docs/index.html; do picture=docs/images/$${each%%=*}.png; \
		chromium --headless $$([ "$$(id -u)" != 0 ] || echo --no-sandbox) --disable-gpu --hide-scrollbars \
			--window-size=1100,1230 --screenshot=$$picture file://$(CURDIR)/$${each#*=} && \
		$(BIN)/python -c "from PIL import Image; Image.open('$$picture').convert('RGB').quantize(64).save('$$picture')"; done

docs: install
	$(BIN)/python docs/generate.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo 'open build/docs/index.html; its search needs a server: $(BIN)/python -m http.server --directory build/docs'
