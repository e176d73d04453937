#!/usr/bin/env bash
# Test with several processes on this machine, one per GPU, or on the CPU if there is no GPU:
#   tools/dist_test.sh CONFIG CHECKPOINT PROCESSES [flags of tools/test.py]
# On several machines also set NNODES, NODE_RANK, MASTER_ADDR and PORT.
set -euo pipefail

if [ $# -lt 3 ]; then
    echo "usage: $0 CONFIG CHECKPOINT PROCESSES [flags of tools/test.py]" >&2
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
    --nproc_per_node="$3" \
    "$(dirname "$0")/test.py" "$1" "$2" --launcher pytorch "${@:4}"
