# `make demo` and `make test` are all that a fresh machine needs; each sets up first.
#   PYTHON=python3.11  interpreter of the virtual environment (default: a 3.10-3.12 that runs)
#   STACK=upstream     OpenMMLab's own releases instead of the maintained forks
#   DEVICE=cpu|cuda    build of torch (default: cuda where a CUDA driver is found)
SHELL := bash
export PYTHON STACK DEVICE

.PHONY: help install demo test
help:
	@echo 'make install   set up (.venv)'
	@echo 'make demo      set up, then train and test on generated photos'
	@echo 'make test      set up, then lint, types, docstring coverage and all tests'

install:
	@bash tools/misc/install.sh

demo: install
	@bash tools/misc/demo.sh

test: install
	@bash tools/misc/test.sh
