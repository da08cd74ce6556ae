# A thin face over the command line: `make` alone explains itself. The work is done by .venv/bin/serverlab.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c

PYTHON ?= python3
LAB := .venv/bin/serverlab
BIN := .venv/bin

# What is worked on; each is handed on when it is set.
TARGET ?= gunicorn
TARGETS ?=
EXPERIMENT ?= experiments/quick.toml
RUN ?=
NEW ?=
DB ?=
CACHE ?=
REALTIME ?=
REPLICAS ?=
WORKLOAD ?=
SERVICE ?=
SLO ?=
ONLY ?=
ARGS ?=

option = $(if $(strip $($(2))),--$(1) "$($(2))")

SETS := app apache build daphne gunicorn lab dev load uwsgi
UV ?= uv

.DEFAULT_GOAL := help
.PHONY: help setup dev engine images up down ps logs run compare capacity crosscheck attack faults http claims locust report doctor check list browser test lint bench-lab format lock clean

help: ## print this
	@echo "usage: make VERB [NAME=value ...]"; echo
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r verb what; do printf '  %-10s  %s\n' "$$verb" "$$what"; done
	@echo; sed -nE 's/^#: ?(.*)/  \1/p' $(MAKEFILE_LIST)

#: TARGET=SERVER[:VARIANT][+EDGE]   e.g. TARGET=gunicorn:gthread+nginx (default: gunicorn)
#: TARGETS="runserver gunicorn"     only these targets of an experiment
#: EXPERIMENT=experiments/NAME.toml (default: quick)
#: RUN=EXPERIMENT/RUN               for compare: this run; for run, capacity, crosscheck, http and faults: go on with it
#: NEW=EXPERIMENT/RUN               for compare: what changed from RUN to this one
#: DB=postgres  CACHE=redis  REPLICAS=2  WORKLOAD=mixed  SERVICE=edge
#: REALTIME=on                      for up: Daphne beside the server, for WebSockets
#: SLO="p99<=250ms"                 for capacity: an objective in the place of the experiment's
#: ONLY="A1,A3-03"                 for attack, faults and http: ids, or beginnings of ids; for claims: names
#: ARGS="..."                       any other options of the verb, see .venv/bin/serverlab VERB --help

setup: ## make .venv from hashed requirements
	@$(PYTHON) bootstrap.py

dev: # the same, with what tests and linters need
	@$(PYTHON) bootstrap.py dev

engine: setup ## find the container engine, or install and start it (Debian, Ubuntu, as root)
	@$(LAB) engine

images: engine ## find, pull or make the base image, and build every image that changed
	@$(LAB) images

up: images ## start TARGET on 127.0.0.1 and print its addresses
	@$(LAB) up "$(TARGET)" $(call option,db,DB) $(call option,cache,CACHE) $(call option,replicas,REPLICAS) $(if $(filter on,$(REALTIME)),--realtime) $(ARGS)

down: setup ## stop the stack and remove all of it
	@$(LAB) down

ps: setup ## show the stack's containers
	@$(LAB) ps $(ARGS)

logs: setup ## print the last log lines of SERVICE (default: app)
	@$(LAB) logs $(SERVICE) $(ARGS)

run: images ## run EXPERIMENT, or go on with RUN
	@$(LAB) run $(if $(RUN),--resume "$(RUN)","$(EXPERIMENT)") $(call option,targets,TARGETS) $(call option,db,DB) $(call option,cache,CACHE) $(ARGS)

compare: images ## from nothing to a table: run the quick experiment on five servers; with RUN, print that run's table
	@$(LAB) $(if $(RUN),compare "$(RUN)" $(if $(NEW),"$(NEW)"),run experiments/quick.toml $(call option,targets,TARGETS) $(call option,db,DB) $(call option,cache,CACHE)) $(ARGS)

capacity: images ## find the highest rate that TARGETS carry within their objectives, or go on with RUN
	@$(LAB) capacity $(if $(RUN),--resume "$(RUN)",$(TARGETS)) $(call option,workload,WORKLOAD) $(call option,slo,SLO) $(call option,db,DB) $(call option,cache,CACHE) $(ARGS)

crosscheck: images ## let wrk and h2load measure TARGETS as the lab does, and tell whether they agree, or go on with RUN
	@$(LAB) crosscheck $(if $(RUN),--resume "$(RUN)",$(TARGETS)) $(ARGS)

attack: images ## put TARGETS (all of them, if none is named) to every attack, or to those of ONLY
	@$(LAB) attack $(TARGETS) $(call option,only,ONLY) $(ARGS)

http: images ## send malformed and oversized requests to TARGETS (all of them, if none is named), or those of ONLY
	@$(LAB) http $(TARGETS) $(call option,only,ONLY) $(call option,resume,RUN) $(ARGS)

faults: images ## break five servers by seven faults and a control in a quarter of an hour, or TARGETS by the faults of ONLY, or go on with RUN
	@$(LAB) faults $(if $(RUN),--resume "$(RUN)") $(call option,targets,TARGETS) $(call option,only,ONLY) $(ARGS)

claims: setup ## tell what the results say of popular sentences; with ONLY, of these; ARGS=--run makes their evidence anew
	@$(LAB) claims $(call option,only,ONLY) $(ARGS)

locust: images ## start TARGET and Locust's web page on 127.0.0.1:8089; Ctrl-C ends both
	@$(LAB) locust "$(TARGET)" $(call option,workload,WORKLOAD) $(call option,db,DB) $(call option,cache,CACHE) $(ARGS)

report: setup ## render the tables in README and docs from the result files they name
	@$(LAB) report --docs

list: setup ## list targets, workloads, experiments and faults
	@$(LAB) list

check: setup ## read every definition and report all mistakes
	@$(LAB) check

doctor: setup ## tell what is wrong with this machine and how to mend it
	@$(LAB) doctor

browser: setup # find the Chromium that the browser tests drive, or install it (Debian, as root)
	@$(LAB) browser

test: dev browser images ## run every test, those against real containers included
	@$(BIN)/pytest --numprocesses 2 $(ARGS)

lint: dev ## run every linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	git ls-files '*Dockerfile' | xargs $(BIN)/hadolint
	git grep -lE '^#!.*[ /](ba|da)?sh$$' | xargs $(BIN)/shellcheck
	$(BIN)/yamllint --strict .
	for upstream in http uwsgi; do for kept in on off; do for realtime in "" realtime:8000; do LAB_UPSTREAM=$$upstream LAB_UPSTREAM_KEEPALIVE=$$kept LAB_REALTIME_ADDRESS=$$realtime $(BIN)/python deploy/nginx/start.py render | $(BIN)/gixy -c deploy/nginx/gixy.cfg -; done; done; done

bench-lab: dev engine ## measure how fast the lab itself is
	$(BIN)/python -m benchmarks $(ARGS)

format: dev # let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: # pin requirements/*.in again, with hashes (needs uv)
	for name in $(SETS); do $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header requirements/$$name.in --output-file requirements/$$name.txt; done

clean: setup ## remove every container, network and volume of the lab, and nothing else
	@$(LAB) clean
