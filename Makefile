# Each command makes the environment it needs: see scripts/bootstrap.py. More arguments: make test ARGS="-k sky -x"
PYTHON ?= python3
ARGS ?=

.PHONY: demo test lint bench
demo test lint bench:
	@$(PYTHON) scripts/bootstrap.py $@ $(ARGS)
