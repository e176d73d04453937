"""Paint a page of typical failures of a checkpoint: a row for each kind, by falling score.

Example:
    python tools/analysis_tools/paint_failures.py CONFIG CHECKPOINT --out failures.png
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from mmengine.structures import InstanceData
from PIL import Image
from pycocotools import mask as mask_api

from mmlabelpenet.apis import config_parser, load_config, load_weights, run_command
from mmlabelpenet.evaluation import ErrorTaxonomyMetric
from mmlabelpenet.evaluation.functional import KINDS, classify_errors, top_predictions
from mmlabelpenet.registry import MODELS
from mmlabelpenet.utils import (
    UserError,
    image_name,
    number,
    read_image,
    register_all_modules,
    require_writable,
    trust_files,
)
from mmlabelpenet.visualization import Canvas, Panel, Style, arrange_panels, save_picture

# Colour and width of a ground-truth object's outline, visible on dark and on light images.
GROUND_TRUTH_LINES = (((20, 20, 20), 5), ((255, 255, 255), 2))


@dataclass
class Failure:
    """One failure.

    Attributes:
        kind: Key of ``KINDS``.
        score: Of the responsible prediction; for a missed object its fraction of the image.
        sample: The image's sample with prediction and ground truth.
        prediction: Index of the responsible prediction; -1 for a missed object.
        target: Index of the ground-truth object; -1 if there is none.
    """

    kind: str
    score: float
    sample: Any
    prediction: int
    target: int


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = config_parser('Paint a page of typical failures', checkpoint=True)
    parser.add_argument('--out', default='failures.png', help='picture to write')
    parser.add_argument('--columns', type=number(int, 1), default=4, help='failures of each kind')
    parser.add_argument(
        '--width', type=number(int, 8, 10000), default=240, help='of each photo in pixels'
    )
    return parser.parse_args(argv)


def predict(cfg: Config, checkpoint: str) -> tuple[list, Mapping]:
    """Predict all test images.

    Returns:
        Their samples, and the data set's meta information.
    """
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    model = MODELS.build(cfg.model).to(device).eval()
    load_weights(model, checkpoint)
    loader = Runner.build_dataloader(cfg.test_dataloader, seed=0)
    with torch.no_grad():
        samples = [sample.cpu() for batch in loader for sample in model.test_step(batch)]
    return samples, loader.dataset.metainfo


def find_failures(samples: Sequence, meta: Mapping) -> list[Failure]:
    """Find all failures, classified as by :class:`ErrorTaxonomyMetric`.

    Args:
        samples: With prediction and ground truth.
        meta: Meta information of the data set.
    """
    metric = ErrorTaxonomyMetric()
    metric.dataset_meta = dict(meta)
    photos = [metric.measure(sample.to_dict()) for sample in samples]
    failures = []
    for sample, photo, kept in zip(samples, photos, top_predictions(photos, len(meta['classes']))):
        errors = classify_errors(photo.select(kept))
        indices = np.flatnonzero(kept)
        height, width = sample.ori_shape[:2]
        responsible = errors.responsible_predictions
        for target, (outcome, prediction) in enumerate(zip(errors.outcomes, responsible)):
            if outcome in ('', 'found'):
                continue
            index = indices[prediction] if prediction >= 0 else -1
            x1, y1, x2, y2 = photo.gt_bboxes[target]
            share = (x2 - x1) * (y2 - y1) / (height * width)
            score = photo.scores[index] if index >= 0 else share
            failures.append(Failure(outcome, float(score), sample, index, target))
        for index, kind in zip(indices, errors.surplus):
            if kind:
                failures.append(Failure(kind, float(photo.scores[index]), sample, index, -1))
    return failures


def paint(failure: Failure, style: Style) -> Image.Image:
    """Outline the ground-truth object in white and the responsible prediction in colour."""
    sample = failure.sample
    image = read_image(sample.img_path)[..., ::-1]
    size = image.shape[:2]
    canvas = Canvas(image, style.panel_width)
    if failure.target >= 0:
        box = np.asarray(sample.gt_instances.bboxes[failure.target], dtype=float)[None]
        for colour, line in GROUND_TRUTH_LINES:
            canvas.paint_boxes(box, size, [colour], line=line)
    if failure.prediction >= 0:
        one: InstanceData = sample.pred_instances[[failure.prediction]]
        label, box = int(one.labels[0]), one.bboxes.numpy()
        if 'masks' in one:
            mask = one.masks[0]
            pixels = mask_api.decode(mask) if isinstance(mask, Mapping) else np.asarray(mask)
            canvas.paint_mask(pixels, style.colour(label))
        canvas.paint_boxes(box, size, [style.colour(label)], line=2)
        text = f'{style.classes[label]} {failure.score:.2f}'
        canvas.paint_label(text, box[0], size, style.colour(label))
    return canvas.finish()


def compose(failures: Sequence[Failure], style: Style, columns: int) -> np.ndarray:
    """Paint a row of images for each kind of failure that occurs.

    Args:
        failures: Of all images.
        style: Names, colours and the width of an image.
        columns: Number of images of each kind: different images, by falling score.

    Returns:
        [h, w, 3] uint8 RGB.

    Raises:
        UserError: If there is no failure.
    """
    rows = []
    for kind, title in KINDS.items():
        ranked = sorted((f for f in failures if f.kind == kind), key=lambda f: f.score)
        # Of each image the failure with the highest score.
        best = {f.sample.img_path: f for f in ranked}.values()
        shown = sorted(best, key=lambda f: -f.score)[:columns]
        titles = [f'{title} ({len(ranked)})', *[''] * columns]
        rows.append(
            [Panel(t, image_name(f.sample), paint(f, style)) for t, f in zip(titles, shown)]
        )
    if not any(rows):
        raise UserError('There is no failure to paint: this checkpoint finds every object.')
    return arrange_panels([row for row in rows if row])


def main(argv: Sequence[str] | None = None) -> None:
    """Predict, classify the errors and paint them."""
    args = parse_args(argv)
    register_all_modules()
    cfg = load_config(args)
    with trust_files(args.trust_checkpoint):
        require_writable(args.out)
    samples, meta = predict(cfg, args.checkpoint)
    failures = find_failures(samples, meta)
    style = Style(meta['classes'], meta.get('palette'), panel_width=args.width)
    save_picture(compose(failures, style, args.columns), args.out)
    print(args.out)


if __name__ == '__main__':
    run_command(main)
