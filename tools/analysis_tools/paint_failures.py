"""Paint a page of typical failures of a checkpoint: a row for each kind, the surest first.

Example:
    python tools/analysis_tools/paint_failures.py CONFIG CHECKPOINT --out failures.png
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import mmcv
import numpy as np
import torch
from mmengine.config import Config
from mmengine.fileio import get
from mmengine.runner import Runner
from mmengine.structures import InstanceData
from PIL import Image, ImageDraw

from mmlabelpenet.apis import config_parser, load_config, load_weights, run_command
from mmlabelpenet.evaluation import ErrorTaxonomyMetric
from mmlabelpenet.evaluation.functional import classify_errors, top_predictions
from mmlabelpenet.registry import MODELS
from mmlabelpenet.utils import UserError, register_all_modules
from mmlabelpenet.visualization import Look, save_picture
from mmlabelpenet.visualization.canvas import Canvas, font

KINDS = {
    'part': 'part of the object',
    'large': 'too large',
    'several': 'several objects in one box',
    'wrong_class': 'wrong class',
    'missed': 'missed',
    'duplicate': 'duplicate',
    'background': 'background',
}
GAP, HEADER, INK = 14, 30, (32, 32, 32)
# A true object's outline, to be seen on dark and on light images.
TRUE = (((20, 20, 20), 5), ((255, 255, 255), 2))


@dataclass
class Failure:
    """One failure.

    Attributes:
        kind: Key of ``KINDS``.
        score: Of the prediction at fault; of a missed object the share of the image that it fills.
        sample: The image's sample with prediction and truth.
        prediction: Index of the prediction at fault; -1 for a missed object.
        target: Index of the true object; -1 where none is meant.
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
    parser.add_argument('--columns', type=int, default=4, help='failures of each kind')
    parser.add_argument('--width', type=int, default=240, help='of each photo in pixels')
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
    """All failures, judged as :class:`ErrorTaxonomyMetric` does.

    Args:
        samples: With prediction and truth.
        meta: Of the data set.
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


def paint(failure: Failure, look: Look) -> Image.Image:
    """The image with the true object outlined in white and the prediction at fault in colour."""
    sample = failure.sample
    photo = mmcv.imfrombytes(get(sample.img_path), channel_order='rgb')
    size = photo.shape[:2]
    canvas = Canvas(photo, look.panel_width)
    if failure.target >= 0:
        box = np.asarray(sample.gt_instances.bboxes[failure.target], dtype=float)[None]
        for colour, line in TRUE:
            canvas.paint_boxes(box, size, [colour], line=line)
    if failure.prediction >= 0:
        one: InstanceData = sample.pred_instances[[failure.prediction]]
        colour = look.colour(int(one.labels[0]))
        if 'masks' in one:
            canvas.paint_mask(np.asarray(one.masks[0]), colour)
        box = one.bboxes.numpy()
        canvas.paint_boxes(box, size, [colour], line=2)
        text = f'{look.classes[int(one.labels[0])]} {failure.score:.2f}'
        canvas.paint_label(text, box[0], size, colour)
    return canvas.finish()


def compose(failures: Sequence[Failure], look: Look, columns: int) -> np.ndarray:
    """A row of images for each kind of failure that there is.

    Args:
        failures: Of all images.
        look: Names, colours and the width of an image.
        columns: Images of each kind, of different images, by falling score.

    Returns:
        [h, w, 3] uint8 RGB.

    Raises:
        UserError: If there is no failure.
    """
    rows: dict[str, list[Image.Image]] = {}
    for kind in KINDS:
        ranked = sorted((f for f in failures if f.kind == kind), key=lambda f: -f.score)
        apart = list({f.sample.img_path: f for f in reversed(ranked)}.values())[::-1]
        if apart:
            rows[kind] = [paint(failure, look) for failure in apart[:columns]]
    if not rows:
        raise UserError('There is no failure to paint: this checkpoint finds every object.')
    counts = {kind: sum(f.kind == kind for f in failures) for kind in rows}
    heights = [max(image.height for image in images) for images in rows.values()]
    width = GAP + columns * (look.panel_width + GAP)
    page = Image.new('RGB', (width, sum(heights) + len(rows) * (HEADER + GAP)), 'white')
    draw, top = ImageDraw.Draw(page), 0
    for (kind, images), height in zip(rows.items(), heights):
        title = f'{KINDS[kind]} ({counts[kind]})'
        draw.text((GAP, top + HEADER / 2 + 4), title, fill=INK, font=font(15, True), anchor='lm')
        for column, image in enumerate(images):
            page.paste(image, (GAP + column * (look.panel_width + GAP), top + HEADER))
        top += HEADER + height + GAP
    return np.asarray(page)


def main(argv: Sequence[str] | None = None) -> None:
    """Predict, judge, paint."""
    args = parse_args(argv)
    register_all_modules()
    cfg = load_config(args)
    samples, meta = predict(cfg, args.checkpoint)
    failures = find_failures(samples, meta)
    look = Look(meta['classes'], meta['palette'], panel_width=args.width)
    save_picture(compose(failures, look, args.columns), args.out)
    print(args.out)


if __name__ == '__main__':
    run_command(main)
