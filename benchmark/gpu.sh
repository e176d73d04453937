#!/usr/bin/env bash
# All measurements and tests of a GPU, in one go on a machine that has torch with CUDA and nvcc:
#   benchmark/gpu.sh
# Nothing is downloaded. Run again, it installs and builds nothing twice. A part that fails or takes too
# long does not stop the others; figures are written as they come.
#   WHEELS   folder of the packages that the machine lacks (default: .whl; benchmark/gpu_wheels.sh fills
#            it), mmcv as a wheel with CUDA operators or as its source archive, which is then built
#   OUT      folder of gpu.json, gpu.log and tests.log (default: work_dirs/gpu)
#   BEFORE   archive of an older state of this repository (git archive), measured in turn with this one
#   PARTS    what runs, in this order
#   LIMIT    seconds for everything (default: 480); parts that do not fit in are left out
#   OPTIONS  further arguments of benchmark/gpu.py
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

python=${PYTHON:-python3}
wheels=${WHEELS:-.whl}
out=${OUT:-work_dirs/gpu}
home=${GPU_HOME:-/tmp/mmlabelpenet-gpu}
parts=${PARTS:-versions cuda speed waits times runner memory kernels heads}
end=$((SECONDS + ${LIMIT:-480}))
site=$home/site
after=$PWD
before=
mkdir -p "$out" "$home"
out=$(cd "$out" && pwd)
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1} PYTHONUNBUFFERED=1 PYTHONWARNINGS=ignore PIP_DISABLE_PIP_VERSION_CHECK=1
export PYTHONPATH=$after:$site PYTHONDONTWRITEBYTECODE=

# Training and inference take the GPU by themselves. Some of these tests search for proposals.
runner_tests='tests/test_engine tests/test_tools/test_train_tool.py'
if "$python" -c 'import cv2; cv2.ximgproc' 2>/dev/null; then
    runner_tests+=' tests/test_apis'
else
    runner_tests+=' tests/test_apis/test_checkpoint.py tests/test_apis/test_pipeline.py'
fi

say() { echo "gpu: $((SECONDS)) s: $*" | tee -a "$out/gpu.log"; }

# Run a command for so many seconds at most, less where less is left; its output goes to a log.
limited() {
    local seconds=$1 log=$2 status=0
    shift 2
    local left=$((end - SECONDS))
    if [ "$left" -lt 10 ]; then
        say "no time is left for: $*"
        return 1
    fi
    timeout -k 5 $((seconds < left ? seconds : left)) "$@" >>"$log" 2>&1 </dev/null || status=$?
    [ "$status" = 0 ] || say "status $status (124: too long): $*"
    return "$status"
}

install() {
    "$python" -m pip install -q --no-index --no-deps --no-compile --no-cache-dir --upgrade --target "$site" "$@"
}

operators_work() {
    "$python" tools/misc/prove.py operators "$("$python" -c 'import torch; print("cuda" if torch.cuda.is_available() else "cpu")')"
}

# mmcv from its sources, for this machine's GPU.
build_mmcv() {
    local sources
    if ! ls "$home"/built/*mmcv-*.whl; then
        sources=$(ls "$wheels"/*mmcv-*.tar.gz) || return 1
        TORCH_CUDA_ARCH_LIST=$("$python" -c 'import torch; print("{}.{}".format(*torch.cuda.get_device_capability()))')
        export TORCH_CUDA_ARCH_LIST MAX_JOBS=${MAX_JOBS:-$(nproc)}
        if [ -d /usr/local/cuda ]; then export CUDA_HOME=${CUDA_HOME:-/usr/local/cuda}; fi
        limited 200 "$out/gpu.log" "$python" benchmark/mmcv_ops.py "$sources" "$home/built" || return 1
    fi
    install "$home"/built/*mmcv-*.whl
}

prepare() {
    local stamp
    stamp=$home/$(stat -c '%n %s' "$wheels"/*.whl | md5sum | cut -c1-12)
    if [ -f "$stamp" ]; then return 0; fi
    install "$wheels"/*.whl || return 1
    operators_work || build_mmcv && operators_work || return 1
    touch "$stamp"
}

unpack_before() {
    before=$home/before
    rm -rf "$before" && mkdir -p "$before" && tar xf "$BEFORE" -C "$before" &&
        cp benchmark/gpu.py "$before/benchmark/" || before=
}

# Figures of a part, of the older state too where its comparison matters.
measure() {
    local part=$1 seconds=$2
    say "$part"
    limited "$seconds" "$out/gpu.log" "$python" benchmark/gpu.py "$part" --out "$out/gpu.json" ${OPTIONS:-}
    if [ -n "$before" ] && [[ $part =~ ^(speed|waits|times)$ ]]; then
        say "$part, before"
        (
            cd "$before" && export PYTHONPATH=$before:$site &&
                limited "$seconds" "$out/gpu.log" "$python" benchmark/gpu.py "$part" --tree before --out "$out/gpu.json" ${OPTIONS:-}
        )
    fi
}

# pytest's report goes into its own log, its last line into gpu.json.
run_tests() {
    local name=$1 seconds=$2
    shift 2
    say "tests: $name"
    limited "$seconds" "$out/tests.log" "$python" -m pytest -p no:cacheprovider -rfEs "$@"
    "$python" - "$out/gpu.json" "$name" "$(grep -aE '(passed|failed|skipped|error)' "$out/tests.log" | tail -1)" <<'END'
import json, pathlib, sys
path = pathlib.Path(sys.argv[1])
result = json.loads(path.read_text()) if path.is_file() else {}
result.setdefault('tests', {})[sys.argv[2]] = sys.argv[3]
path.write_text(json.dumps(result, indent=2) + '\n')
END
}

: >"$out/gpu.log"
: >"$out/tests.log"
rm -f "$out/gpu.json"
nvidia-smi >>"$out/gpu.log" 2>&1
say 'packages'
if ! prepare >>"$out/gpu.log" 2>&1; then
    say 'mmcv and the other packages could not be set up; the log ends with:'
    tail -n 30 "$out/gpu.log"
    exit 1
fi
[ -z "${BEFORE:-}" ] || unpack_before
for part in $parts; do
    case $part in
        versions) measure versions 60 ;;
        cuda) run_tests cuda 90 -s tests/test_models/test_cuda.py ;;
        runner) run_tests runner 120 -n "${WORKERS:-8}" $runner_tests ;;
        speed) measure speed 100 ;;
        waits) measure waits 60 ;;
        times) measure times 120 ;;
        memory) measure memory 60 ;;
        kernels) measure kernels 60 ;;
        heads) measure heads 80 ;;
        *) say "there is no part $part" ;;
    esac
done
say 'done'
tail -n 25 "$out/tests.log"
# Seconds that each figure took, its name, its value: all of gpu.json in short.
grep -aE '^[0-9.]+ s ' "$out/gpu.log" | cut -c1-150
