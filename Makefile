# `make demo`, `make test` and `make docs` are all that a fresh machine needs; each sets up first.
#   PYTHON=python3.11  interpreter of the virtual environment (default: a 3.10-3.12 that runs)
#   STACK=upstream     OpenMMLab's own releases instead of the maintained forks
#   DEVICE=cpu|cuda    build of torch (default: cuda where a CUDA driver is found)
SHELL := bash
export PYTHON STACK DEVICE

.PHONY: help install demo test docs
help:
	@echo 'make install   set up (.venv)'
	@echo 'make demo      set up, then train and test on generated photos'
	@echo 'make test      set up, then lint, types, docstring coverage, site and all tests'
	@echo 'make docs      set up, then build the site in build/docs'

install:
	@bash tools/misc/install.sh

demo: install
	@bash tools/misc/demo.sh

test: install
	@bash tools/misc/test.sh

docs: install
	@bash tools/misc/docs.sh
