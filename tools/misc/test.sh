#!/usr/bin/env bash
# Lint, types, docstring coverage, size of the code, the site and all tests (`make test`); each runs
# even where one failed.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
source tools/misc/environment.sh
failed=()

check() {
    echo "== $*"
    "$venv/bin/python" -m "$@" || failed+=("$1")
}

check ruff check .
check ruff format --check .
check mypy mmlabelpenet
check interrogate --quiet mmlabelpenet tools
echo '== tools/misc/code_numbers.py --check'
"$venv/bin/python" tools/misc/code_numbers.py --check || failed+=(code_numbers)
echo '== tools/misc/docs.sh'
bash tools/misc/docs.sh || failed+=(docs)
if [ ${#failed[@]} -gt 0 ]; then
    echo "test: ${failed[*]} failed, see above; the tests follow" >&2
fi
# A process on each core, of which nproc says fewer where OMP_NUM_THREADS is set; the longest tests take 3 GB with the processes that they start.
workers=$(env -u OMP_NUM_THREADS -u OMP_THREAD_LIMIT nproc 2>/dev/null || getconf _NPROCESSORS_ONLN || echo 1)
room=$(awk '/^MemAvailable/ {print int($2 / 3000000)}' /proc/meminfo 2>/dev/null)
workers=$((room > 0 && room < workers ? room : workers))
check pytest --numprocesses "$workers" --dist worksteal
[ ${#failed[@]} -eq 0 ]
