r"""Whether one model is better than another: a paired bootstrap over images, seeds pooled.

Both models have predicted the same images, each with one or more seeds. Images are drawn with
replacement, the same ones for both models and all seeds; the difference of the mean AP over seeds
is computed for each draw. ``p`` is the share of draws without a gain: it tells the noise of the
images, not that of seeds that were not trained.

Example:
    python tools/test.py CONFIG CHECKPOINT --out a0.pkl
    python benchmark/paired_bootstrap.py CONFIG --before a0.pkl a1.pkl --after b0.pkl b1.pkl
"""

import argparse
import json
from collections.abc import Sequence

import numpy as np
from mmengine.config import Config

from mmlabelpenet.apis import run_command
from mmlabelpenet.evaluation.functional import (
    ImageMatches,
    mean_over_valid,
    per_class_average_precision,
)
from mmlabelpenet.evaluation.offline import join_ground_truth, load_ground_truth
from mmlabelpenet.evaluation.prediction_files import read_predictions
from mmlabelpenet.registry import METRICS
from mmlabelpenet.utils import UserError, register_all_modules

IOU_THRS = (0.5, 0.75)
# Masks without void, as in the benchmark's table.
FIGURES = {
    'box': dict(type='VOCDetectionMetric'),
    'mask': dict(type='VOCInstanceMetric', ignore_void=True),
}


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('config', help='of the test images')
    parser.add_argument('--before', nargs='+', required=True, metavar='FILE', help='predictions')
    parser.add_argument('--after', nargs='+', required=True, metavar='FILE', help='predictions')
    parser.add_argument('--draws', type=int, default=2000, help='of the bootstrap')
    return parser.parse_args(argv)


def matches_of(config: Config, path: str) -> dict[str, list[ImageMatches]]:
    """Matches of boxes and of masks of every image in a file of predictions."""
    dataset = load_ground_truth(config.test_dataloader.dataset)
    metrics = {name: METRICS.build(one) for name, one in FIGURES.items()}
    for metric in metrics.values():
        metric.dataset_meta = dataset.metainfo
    predictions = read_predictions(path, dataset.metainfo['classes'])
    for sample in join_ground_truth(predictions, dataset, path):
        for metric in metrics.values():
            metric.process({}, [sample])
    return {name: metric.results for name, metric in metrics.items()}


def mean_ap(
    seeds: Sequence[list[ImageMatches]], drawn: np.ndarray, num_classes: int
) -> np.ndarray:
    """Mean AP [T] at each threshold over seeds, of drawn images.

    Args:
        seeds: The matches of all images for each seed.
        drawn: Indices of images.
        num_classes: C.
    """
    tables = (
        per_class_average_precision([one[index] for index in drawn], num_classes, IOU_THRS)
        for one in seeds
    )
    return np.mean([[mean_over_valid(ap) for ap in table['ap']] for table in tables], axis=0)


def compare(
    before: Sequence[list[ImageMatches]],
    after: Sequence[list[ImageMatches]],
    num_classes: int,
    draws: int,
) -> list[dict[str, float]]:
    """Gain of one model over another at each threshold.

    Args:
        before: For each seed of the first model the matches of all images, in one order.
        after: The same of the second model.
        num_classes: C.
        draws: Of the bootstrap; the same images in every run.

    Returns:
        For each threshold ``before`` and ``after``, mean AP over seeds; ``gain``, their
        difference; ``low`` and ``high``, which hold it in 95 % of the draws; ``p``, the share of
        draws without a gain.
    """
    count, rng = len(before[0]), np.random.default_rng(0)
    both = [mean_ap(one, np.arange(count), num_classes) for one in (before, after)]
    gains = []
    for _ in range(draws):
        drawn = rng.integers(0, count, count)
        gains.append(mean_ap(after, drawn, num_classes) - mean_ap(before, drawn, num_classes))
    low, high = np.quantile(gains, (0.025, 0.975), axis=0)
    rows = dict(
        iou=IOU_THRS,
        before=both[0],
        after=both[1],
        gain=both[1] - both[0],
        low=low,
        high=high,
        p=(np.array(gains) <= 0).mean(axis=0),
    )
    return [dict(zip(rows, map(float, row))) for row in zip(*rows.values())]


def main(argv: Sequence[str] | None = None) -> None:
    """Compare, and print one JSON object."""
    args = parse_args(argv)
    if args.draws < 1:
        raise UserError('--draws must be at least 1.')
    register_all_modules()
    config = Config.fromfile(args.config)
    num_classes = config.model.num_classes
    before, after = (
        [matches_of(config, path) for path in side] for side in (args.before, args.after)
    )
    found = {
        name: compare(
            [one[name] for one in before], [one[name] for one in after], num_classes, args.draws
        )
        for name in FIGURES
    }
    print(json.dumps(found, indent=2))


if __name__ == '__main__':
    run_command(main)
