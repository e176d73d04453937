r"""How good labels are, told without any box of truth: agreement of two folds, stability of flips.

Two models are trained, each without one half of the training photos:

    python benchmark/label_proxy.py CONFIG --write-folds work_dirs/folds
    python tools/train.py CONFIG --work-dir work_dirs/fold_0 \
        --cfg-options train_dataloader.dataset.skip=work_dirs/folds/fold_0.txt
    (and the same with 1)

Then this command compares what they find on all training photos, of which each model has never
seen a half:

    python benchmark/label_proxy.py CONFIG FOLD_0.pth FOLD_1.pth --folds work_dirs/folds

It prints shares of tags: ``agreement``, where the best boxes of both models agree at IoU .5;
``label_agreement`` (with ``--folds``), where the box of the model that never saw the photo agrees
with the pseudo label of the other one; ``flip``, where the boxes in a photo and its mirror image
agree. Boxes of truth are read with ``--truth`` alone, which adds ``corloc`` and
``corloc_unseen`` (of the model that never saw the photo), to see whether the proxy orders variants
as truth does.
"""

import argparse
import copy
import hashlib
import json
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from pseudo_labels import build_row, load_every
from report import add_result

from mmlabelpenet.apis import run_command
from mmlabelpenet.evaluation import CorLocMetric
from mmlabelpenet.evaluation.functional import Found, tags_that_agree
from mmlabelpenet.evaluation.metrics.base import to_numpy
from mmlabelpenet.models import LABELS, LabelPEnet
from mmlabelpenet.registry import DATASETS
from mmlabelpenet.utils import UserError, register_all_modules, write_lines

TRUTH = ('LoadAnnotations', 'LoadInstanceMasks')


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('config')
    parser.add_argument('checkpoints', nargs='*', help='of the models without fold 0 and fold 1')
    parser.add_argument('--write-folds', help='only write the lists of both folds to this folder')
    parser.add_argument('--folds', help='folder of the lists that the models were trained without')
    parser.add_argument('--stage', default='segmentation', help='whose boxes are compared')
    parser.add_argument('--every', type=int, default=1, help='take every n-th image')
    parser.add_argument('--truth', action='store_true', help='also read truth, for CorLoc')
    parser.add_argument('--row', default='labels', help='name of the result')
    parser.add_argument('--out', type=Path, help='JSON, to which the result is added')
    return parser.parse_args(argv)


def fold_name(image: Mapping) -> str:
    """Name of an image in lists of images to leave out, which all data sets know."""
    return os.path.splitext(image['file_name'])[0]


def fold_of(name: str) -> int:
    """The fold of an image by its name, the same whatever other images there are."""
    return hashlib.blake2b(name.encode()).digest()[0] % 2


def write_folds(cfg: Config, folder: str | Path) -> None:
    """Write ``fold_0.txt`` and ``fold_1.txt``, lists of training images to leave out."""
    dataset = DATASETS.build(dict(cfg.train_dataloader.dataset, pipeline=[]))
    names = [fold_name(dataset.get_data_info(index)) for index in range(len(dataset))]
    for fold in (0, 1):
        lines = [name for name in names if fold_of(name) == fold]
        write_lines(Path(folder) / f'fold_{fold}.txt', lines)


def read_folds(folder: str | Path) -> dict[str, int]:
    """Fold of each image by its name, see :func:`write_folds`."""
    paths = [Path(folder) / f'fold_{fold}.txt' for fold in (0, 1)]
    for path in paths:
        if not path.is_file():
            raise UserError(f'There is no {path}: write it by --write-folds {folder}.')
    lines = [path.read_text(encoding='utf-8').splitlines() for path in paths]
    return {name: fold for fold, names in enumerate(lines) for name in names}


def folds_of(samples: Sequence[Mapping], folder: str | Path) -> list[int]:
    """Folds of images, see :func:`read_folds`.

    Raises:
        UserError: If one is in none of them.
    """
    known, names = read_folds(folder), [fold_name(one) for one in samples]
    strange = [name for name in names if name not in known]
    if strange:
        raise UserError(
            f'{strange[0]} and {len(strange) - 1} further photos are in no fold of {folder}: '
            'write the folds of this config by --write-folds, and train on them.'
        )
    return [known[name] for name in names]


def mirrored(batch: Mapping) -> dict:
    """A batch of images as the data loader gives it, each mirrored with its proposals."""
    batch = copy.deepcopy(dict(batch))
    batch['inputs'] = [image.flip(-1) for image in batch['inputs']]
    for sample in batch['data_samples']:
        if 'proposals' in sample:
            x1, y1, x2, y2 = sample.proposals.bboxes.unbind(1)
            width = sample.img_shape[1]
            sample.proposals.bboxes = torch.stack([width - x2, y1, width - x1, y2], 1)
    return batch


def predictions(model: LabelPEnet, batch: Mapping, stage: str) -> list[Found]:
    """What a stage of a model finds in a batch of images."""
    found = model.read(copy.deepcopy(dict(batch)), stage)
    instances = [one.pred_instances for one in found]
    return [Found(*map(to_numpy, (i.labels, i.scores, i.bboxes))) for i in instances]


def compare(models: Sequence[LabelPEnet], batch: Mapping, stage: str) -> dict[str, list[Found]]:
    """Predictions of two models on a batch, its mirror image, and their pseudo labels."""
    found = {}
    samples, flipped = batch['data_samples'], mirrored(batch)
    for name, model in zip('ab', models):
        found[name] = predictions(model, batch, stage)
        back = zip(predictions(model, flipped, stage), samples)
        found[f'{name} flipped'] = [one.flip(sample.ori_shape[1]) for one, sample in back]
        found[f'{name} labels'] = predictions(model, batch, LABELS[0])
    return found


def unseen(
    found: Mapping[str, list[Found]], folds: Sequence[int], suffix: str = ''
) -> list[Found]:
    """Of each image what the model of a fold has found, ``'a'`` for fold 0."""
    return [found['ab'[fold] + suffix][index] for index, fold in enumerate(folds)]


def proxy(
    found: Mapping[str, list[Found]],
    tags: Sequence[Sequence[int]],
    folds: Sequence[int] | None = None,
) -> dict[str, float]:
    """Shares of tags that agree, see the head of this file.

    Args:
        found: Of all images, as :func:`compare` gives them.
        tags: Labels of the classes in each image.
        folds: Fold of each image, that of the model that never saw it.
    """
    pairs = {
        'agreement': ('a', 'b'),
        'flip_a': ('a', 'a flipped'),
        'flip_b': ('b', 'b flipped'),
    }
    figures = {
        name: tags_that_agree(found[one], found[other], tags).mean()
        for name, (one, other) in pairs.items()
    }
    figures['flip'] = (figures['flip_a'] + figures['flip_b']) / 2
    if folds is not None:
        labels = unseen(found, [1 - fold for fold in folds], ' labels')
        figures['label_agreement'] = tags_that_agree(unseen(found, folds), labels, tags).mean()
    return {name: round(float(value), 4) for name, value in figures.items()}


def corloc(found: Sequence[Found], samples: Sequence[dict], meta: Mapping) -> float:
    """CorLoc of predictions; the only figure that reads boxes of truth."""
    metric = CorLocMetric()
    metric.dataset_meta = dict(meta)
    predicted = [{'pred_instances': one._asdict(), 'boxes_end': 'outside'} for one in found]
    metric.process({}, [{**one, **new} for one, new in zip(samples, predicted)])
    return round(metric.evaluate(len(samples))['corloc'], 4)


def measure(args: argparse.Namespace) -> dict[str, float]:
    """The proxy's figures of two checkpoints, and with ``--truth`` CorLoc."""
    changes = {}
    if args.stage not in LABELS:
        boxes_by = 'detection' if args.stage == 'refinement' else args.stage
        changes[f'model.cascade.{boxes_by}.test_cfg.max_per_image'] = 1
    (first, cfg), (second, _) = (
        build_row(args.config, one, changes, {}) for one in args.checkpoints
    )
    dataset = cfg.corloc_dataloader.dataset
    if not args.truth:
        dataset.supervision = 'tags'
        dataset.pipeline = [one for one in dataset.pipeline if one.type not in TRUTH]
    loader = load_every(cfg.corloc_dataloader, args.every)
    found, samples = defaultdict(list), []
    for batch in loader:
        for name, some in compare((first, second), batch, args.stage).items():
            found[name] += some
        samples += [one.to_dict() for one in batch['data_samples']]
    tags = [np.flatnonzero(to_numpy(one['tags'])) for one in samples]
    folds = None
    if args.folds:
        folds = folds_of(samples, args.folds)
    figures = {'photos': len(samples), 'tags': sum(map(len, tags)), **proxy(found, tags, folds)}
    if args.truth:
        meta = loader.dataset.metainfo
        both = [corloc(found[name], samples, meta) for name in 'ab']
        figures |= {'corloc_a': both[0], 'corloc_b': both[1], 'corloc': round(sum(both) / 2, 4)}
        if folds is not None:
            figures['corloc_unseen'] = corloc(unseen(found, folds), samples, meta)
    return figures


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, and print one JSON object."""
    args = parse_args(argv)
    register_all_modules()
    if args.write_folds:
        write_folds(Config.fromfile(args.config), args.write_folds)
        return
    if len(args.checkpoints) != 2:
        raise UserError('label_proxy.py compares two checkpoints: give both, or --write-folds.')
    result = {'row': args.row, 'stage': args.stage, **measure(args)}
    if args.out:
        add_result(result, args.out)
    print(json.dumps(result))


if __name__ == '__main__':
    run_command(main)
