#!/usr/bin/env bash
# Test with several processes on this machine, one per GPU, or on the CPU if there is no GPU:
#   tools/dist_test.sh CONFIG CHECKPOINT PROCESSES [flags of tools/test.py]
# On several machines also set NNODES, NODE_RANK, MASTER_ADDR and PORT, the same on all.
set -euo pipefail

if [ $# -lt 3 ]; then
    echo "usage: $0 CONFIG CHECKPOINT PROCESSES [flags of tools/test.py]" >&2
    exit 2
fi

tools=$(dirname "$0")
exec python "$tools/misc/launch.py" "$3" "$tools/test.py" "$1" "$2" --launcher pytorch "${@:4}"
