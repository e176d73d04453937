#!/usr/bin/env bash
# Sets up a virtual environment that runs the package, its demo and its tests (`make install`).
# `--check` only looks for what is needed and says which interpreter it would take.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
source tools/misc/environment.sh

python_version() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null; }

fits() { [[ $(python_version "$1") =~ ^3\.1[0-2]$ ]]; }

# Version managers put commands in the path that only fail: an interpreter has to run to count.
choose_python() {
    if [ -n "${PYTHON:-}" ]; then
        local found
        found=$(python_version "$PYTHON") || fail "PYTHON=$PYTHON does not run: name a Python 3.10 to 3.12."
        fits "$PYTHON" || fail "PYTHON=$PYTHON is Python $found: name a Python 3.10 to 3.12."
        python=$PYTHON
        return
    fi
    for python in python3.11 python3.12 python3.10 python3; do
        if fits "$python"; then return; fi
    done
    fail "no Python 3.10, 3.11 or 3.12 runs here: install one, or name it by PYTHON=/path/to/python."
}

check_needs() {
    local version header='import os, sysconfig; print(sysconfig.get_path("include") + "/Python.h")'
    version=$(python_version "$python")
    for module in venv ensurepip; do
        "$python" -c "import $module" 2>/dev/null ||
            fail "Python $version lacks its module $module: install it (Debian, Ubuntu: python$version-venv)."
    done
    for command in g++ make; do
        command -v $command >/dev/null || fail "$command is missing: install it (Debian, Ubuntu: build-essential)."
    done
    [ -f "$("$python" -c "$header")" ] ||
        fail "Python $version lacks its C headers: install them (Debian, Ubuntu: python$version-dev)."
    if [ "$device" = cuda ] && [ ! -x "${CUDA_HOME:-/usr/local/cuda}/bin/nvcc" ] && ! command -v nvcc >/dev/null; then
        fail "a CUDA driver is here but no nvcc to build mmcv with: install the CUDA toolkit, or say DEVICE=cpu."
    fi
}

choose_device() {
    device=${DEVICE:-}
    if [ -z "$device" ]; then
        if nvidia-smi -L 2>/dev/null | grep -q GPU; then device=cuda; else device=cpu; fi
    fi
    [[ $device =~ ^(cpu|cuda)$ ]] || fail "DEVICE=$device is unknown: say cpu or cuda."
}

# What a finished set-up depends on; a virtual environment can't be moved, hence the folder.
fingerprint() {
    {
        sed -n '/^\[build-system]/,/^\[tool.ruff]/p' pyproject.toml
        cat requirements/*.txt setup.py mmlabelpenet/version.py tools/misc/{install.sh,environment.sh,prove.py}
        echo "$stack $device $PWD $("$venv/bin/python" -VV 2>&1)"
    } | cksum | cut -d ' ' -f 1
}

# Says what is going on, and keeps pip's own words in a log.
pip_step() {
    local what=$1 start=$SECONDS
    shift
    echo "install: $what ..."
    if ! "$venv/bin/python" -m pip "$@" >>"$log" 2>&1; then
        tail -n 15 "$log" >&2
        fail "$what failed, see $log."
    fi
    echo "install: $what took $((SECONDS - start)) s"
}

install_torch() {
    local torch=torch==2.13.0
    # Plain `torch` is a CUDA build of several GB on Linux. The CPU build: from a local wheel folder
    # (PIP_FIND_LINKS), else from PyTorch's own index, else whatever the usual index has.
    if [ "$device" = cpu ] && ! "$venv/bin/python" -c 'import torch' 2>/dev/null; then
        echo 'install: torch, CPU build ...'
        "$venv/bin/python" -m pip install --no-deps --no-index $torch+cpu >>"$log" 2>&1 ||
            "$venv/bin/python" -m pip install --no-deps --retries 1 --timeout 30 $torch+cpu \
                --index-url https://download.pytorch.org/whl/cpu >>"$log" 2>&1 ||
            echo 'install: no CPU build of torch is within reach, so the usual, larger one comes'
    fi
    pip_step 'torch and what builds mmcv' install -c "$constraints" $torch -r requirements/build.txt
}

# One compiler job a core, as far as memory reaches (1.5 GiB each).
compiler_jobs() {
    local cores memory
    cores=$(nproc 2>/dev/null || echo 2)
    memory=$(awk '/MemAvailable/ {print int($2 / 1572864)}' /proc/meminfo 2>/dev/null || true)
    memory=${memory:-$cores}
    echo $((memory < 1 ? 1 : memory < cores ? memory : cores))
}

install_mmcv() {
    local mmcv
    mmcv=$(grep -E '^(onedl-)?mmcv==' "$mminstall")
    # CFLAGS replaces Python's own flags, so it has to name the optimisation too; leaving out debug
    # symbols (-g) halves the compile time.
    export CFLAGS='-O2 -g0 -DNDEBUG -fwrapv' CXX=${CXX:-g++} MAX_JOBS=${MAX_JOBS:-$(compiler_jobs)}
    export CXXFLAGS=$CFLAGS MMCV_WITH_OPS=1 FORCE_CUDA=$([ "$device" = cuda ] && echo 1 || echo 0)
    local options=(install --no-build-isolation -c "$constraints" "$mmcv")
    pip_step "$mmcv (its operators compile for 5 to 10 minutes the first time)" "${options[@]}"
    # Where a machine without a GPU builds for one, as an image's build does, their CPU half is tried.
    local proof=$device
    nvidia-smi -L 2>/dev/null | grep -q GPU || proof=cpu
    # pip's cache may have served a wheel built for another torch, or without operators.
    if ! "$venv/bin/python" tools/misc/prove.py operators "$proof" >>"$log" 2>&1; then
        pip_step "$mmcv once more, for the wheel at hand does not fit this torch" \
            "${options[@]}" --no-deps --no-cache-dir --force-reinstall
    fi
    "$venv/bin/python" tools/misc/prove.py operators "$proof"
}

# Three opencv wheels share one folder and overwrite one another: leave the one with ximgproc.
install_opencv() {
    pip_step 'other opencv wheels out' uninstall -y opencv-python opencv-python-headless \
        opencv-contrib-python opencv-contrib-python-headless
    pip_step 'opencv with ximgproc' install --no-deps -c "$constraints" opencv-contrib-python-headless
    "$venv/bin/python" tools/misc/prove.py opencv
}

choose_device
choose_python
if [ "${1:-}" = --check ]; then
    check_needs
    echo "install: would take $python ($(python_version "$python")) and torch for $device"
    exit 0
fi
if [ -f "$venv/.mmlabelpenet-$(fingerprint)" ] &&
    { [ -z "${PYTHON:-}" ] || [ "$(python_version "$python")" = "$(python_version "$venv/bin/python")" ]; }; then
    echo "install: $venv is set up already"
    exit 0
fi
check_needs
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1
constraints=requirements/constraints.txt
mminstall=requirements/mminstall$([ "$stack" = onedl ] || echo "-$stack").txt
log=$PWD/$venv/install.log
if [ "$(python_version "$venv/bin/python")" != "$(python_version "$python")" ]; then
    "$python" -m venv --clear "$venv" || fail "$python could not make the virtual environment $venv."
fi
rm -f "$venv"/.mmlabelpenet-*
install_torch
install_mmcv
pip_step 'mmdet, mmengine and the rest' install -c "$constraints" -r "$mminstall" \
    -r requirements/runtime.txt -r requirements/optional.txt -r requirements/tests.txt -r requirements/mutation.txt \
    -r requirements/docs.txt
install_opencv
pip_step 'mmlabelpenet' install --no-deps --no-build-isolation -e .
# yapf, with which mmengine writes configs, fills its cache here, before several processes would at once.
"$venv/bin/python" -c 'import yapf.yapflib.yapf_api, mmlabelpenet.registry' || fail 'mmlabelpenet does not import.'
touch "$venv/.mmlabelpenet-$(fingerprint)"
echo "install: $venv is ready after $SECONDS s"
