#!/usr/bin/env bash
# Train with several processes on this machine, one per GPU, or on the CPU if there is no GPU:
#   tools/dist_train.sh CONFIG PROCESSES [flags of tools/train.py]
# On several machines also set NNODES, NODE_RANK, MASTER_ADDR and PORT, the same on all.
set -euo pipefail

if [ $# -lt 2 ]; then
    echo "usage: $0 CONFIG PROCESSES [flags of tools/train.py]" >&2
    exit 2
fi

tools=$(dirname "$0")
exec python "$tools/misc/launch.py" "$2" "$tools/train.py" "$1" --launcher pytorch "${@:3}"
