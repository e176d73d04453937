#!/usr/bin/env bash
# Lint, types, docstring coverage, size of the code and all tests (`make test`); each runs even
# where one failed.
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
if [ ${#failed[@]} -gt 0 ]; then
    echo "test: ${failed[*]} failed, see above; the tests follow" >&2
fi
check pytest
[ ${#failed[@]} -eq 0 ]
