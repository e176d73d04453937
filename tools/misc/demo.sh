#!/usr/bin/env bash
# The whole road on generated photos (`make demo`): data, proposals, training, test, pictures.
# What is finished already is not done again.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
source tools/misc/environment.sh
config=configs/label_penet/label-penet_effnet-lite0_shapes.py
work_dir=work_dirs/demo
python=$venv/bin/python
times=()

step() {
    local name=$1 start=$SECONDS
    shift
    echo "== $name"
    "$@"
    times+=("$(printf '%-10s %4d s' "$name" $((SECONDS - start)))")
}

# A changed model or config trains anew; a cut training goes on where it was.
train() {
    local sources
    sources=$(find mmlabelpenet configs -name '*.py' -print0 | sort -z | xargs -0 cat | cksum)
    if [ "$(cat $work_dir/finished 2>/dev/null)" = "$sources" ]; then
        echo "$work_dir holds the trained model already"
        return
    fi
    if [ "$(cat $work_dir/started 2>/dev/null)" != "$sources" ]; then
        rm -rf $work_dir
        mkdir -p $work_dir
        echo "$sources" >$work_dir/started
    fi
    run_training
    echo "$sources" >$work_dir/finished
}

# Without a GPU two processes of half the threads each are faster than one of all.
on_cpu=()
if [ "$(nproc)" -ge 2 ] && ! "$python" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'; then
    export PATH="$PWD/$venv/bin:$PATH" OMP_NUM_THREADS=$(($(nproc) / 2))
    on_cpu=(train_dataloader.batch_size=1)
    # The test follows at once, so training ends without one.
    on_cpu+=(train_cfg.val_begin=1000)
    for loader in train val corloc; do on_cpu+=("${loader}_dataloader.num_workers=1"); done
fi

run_training() {
    if [ ${#on_cpu[@]} -gt 0 ]; then
        tools/dist_train.sh $config 2 --work-dir $work_dir --resume --cfg-options "${on_cpu[@]}"
    else
        "$python" tools/train.py $config --work-dir $work_dir --resume
    fi
}

test_model() {
    local checkpoint arguments
    checkpoint=$(cat $work_dir/last_checkpoint)
    arguments=(--work-dir $work_dir --eval bbox segm corloc semseg image proposal
        --show-dir $work_dir/pictures
        --cfg-options default_hooks.visualization.max_images=12)
    if [ ${#on_cpu[@]} -gt 0 ]; then
        tools/dist_test.sh $config "$checkpoint" 2 "${arguments[@]}" "${on_cpu[@]}"
    else
        "$python" tools/test.py $config "$checkpoint" "${arguments[@]}"
    fi
}

step photos "$python" tools/dataset_converters/make_shapes.py
step proposals "$python" tools/proposals/make_proposals.py $config
step training train
step test test_model
printf '%s\n' '== done' "${times[@]}"
echo "figures in $work_dir/metrics.json, pictures in $work_dir/pictures"
