#!/usr/bin/env bash
# The site of docs/, in build/docs (`make docs`); a warning is an error.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
source tools/misc/environment.sh
start=$SECONDS
rm -rf docs/reference/api/generated  # pages of subpackages that are gone
"$venv/bin/python" -W ignore -m sphinx --nitpicky --fail-on-warning --keep-going --quiet \
    -b html -d build/doctrees docs build/docs
echo "docs: build/docs/index.html is ready after $((SECONDS - start)) s"
