#!/usr/bin/env bash
# Train with several processes on this machine, one per GPU, or on the CPU if there is no GPU:
#   tools/dist_train.sh CONFIG PROCESSES [flags of tools/train.py]
# On several machines also set NNODES, NODE_RANK, MASTER_ADDR and PORT.
set -euo pipefail

if [ $# -lt 2 ]; then
    echo "usage: $0 CONFIG PROCESSES [flags of tools/train.py]" >&2
    exit 2
fi

# mmengine writes configs with yapf, whose first use fills a cache in the home folder. If several
# processes did so at the same time, they would read incomplete files of each other.
python -c 'import yapf.yapflib.yapf_api'
python -m torch.distributed.run \
    --nnodes="${NNODES:-1}" \
    --node_rank="${NODE_RANK:-0}" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" \
    --master_port="${PORT:-29500}" \
    --nproc_per_node="$2" \
    "$(dirname "$0")/train.py" "$1" --launcher pytorch "${@:3}"
