r"""Masks in a detector's own boxes, by what makes them.

The boxes of one checkpoint on the test images, with the masks of its last stage, with those of
GrabCut started from each box, with attention inside the box, and filled. Tags of the test images
are not looked at.

Example:
    python benchmark/masks_in_boxes.py CONFIG CHECKPOINT \
        --out docs/research/benchmarks/masks_in_boxes.json

With ``--seed`` rows of several trainings stand side by side in the file, and the table tells
their medians.
"""

import argparse
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
from mmengine.evaluator import Evaluator
from mmengine.runner import Runner
from mmengine.structures import InstanceData
from mmlabelpenet.models.grids import inside_boxes, maps_on_image, normalise, refined
from pseudo_labels import build_row, save_row
from report import summary
from tqdm import tqdm

from mmlabelpenet.apis import run_command
from mmlabelpenet.models import LabelPEnet
from mmlabelpenet.registry import DATASETS
from mmlabelpenet.structures import Evidence
from mmlabelpenet.utils import read_image, register_all_modules

METRICS = (
    dict(type='VOCInstanceMetric'),
    dict(type='VOCInstanceMetric', ignore_void=True, prefix='no_void'),
)
KEYS = ('segm_mAP_25', 'segm_mAP_50', 'segm_mAP_75', 'segm_ABO')


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('config')
    parser.add_argument('checkpoint')
    parser.add_argument('--seed', type=int, default=0, help='of the training, told in the rows')
    parser.add_argument('--rows', nargs='+', choices=ROWS, default=list(ROWS), metavar='ROW')
    parser.add_argument('--best', type=int, default=15, help='boxes of a photo, by score')
    parser.add_argument('--every', type=int, default=1, help='take every n-th photo')
    parser.add_argument('--out', type=Path, help='JSON, to which rows are added')
    return parser.parse_args(argv)


def pixel_box(box: Sequence[float], size: Sequence[int]) -> tuple[int, int, int, int]:
    """x1, y1, x2, y2 in whole pixels within an image (h, w), the last two outside; never empty."""
    height, width = size[:2]
    x1, y1 = (min(max(round(float(v)), 0), limit - 1) for v, limit in zip(box, (width, height)))
    x2, y2 = (round(float(v)) for v in box[2:])
    return x1, y1, min(max(x2, x1 + 1), width), min(max(y2, y1 + 1), height)


def filled(box: Sequence[float], size: Sequence[int]) -> np.ndarray:
    """A box [4] as a mask of an image (h, w)."""
    x1, y1, x2, y2 = pixel_box(box, size)
    mask = np.zeros(size[:2], dtype=bool)
    mask[y1:y2, x1:x2] = True
    return mask


def grab_cut(image: np.ndarray, box: Sequence[float], rounds: int = 5) -> np.ndarray:
    """The object of a box, by GrabCut (Rother et al., SIGGRAPH 2004).

    What lies around the box, half its sides far, is background; within it all may be object.

    Args:
        image: [h, w, 3] uint8.
        box: x1, y1, x2, y2 in its pixels.
        rounds: Of its model of colours.

    Returns:
        [h, w] bool; the filled box where nothing lies around it, or where all of it is taken
        for background.
    """
    inside = filled(box, image.shape)
    x1, y1, x2, y2 = pixel_box(box, image.shape)
    right, below = (x2 - x1) // 2 + 1, (y2 - y1) // 2 + 1
    window = np.s_[max(y1 - below, 0) : y2 + below, max(x1 - right, 0) : x2 + right]
    labels = np.where(inside[window], cv2.GC_PR_FGD, cv2.GC_BGD).astype(np.uint8)
    # It fits five Gaussians to the pixels of either kind.
    if min((labels == cv2.GC_BGD).sum(), inside.sum()) < 10:
        return inside
    cv2.setRNGSeed(0)
    cut = np.ascontiguousarray(image[window])
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(cut, labels, None, *models, rounds, cv2.GC_INIT_WITH_MASK)
    found = labels == cv2.GC_PR_FGD
    mask = np.zeros(image.shape[:2], dtype=bool)
    mask[window] = found
    return mask if found.any() else inside


class Sources:
    """What makes masks of the boxes of one image.

    Args:
        model: The detector.
        feats: Backbone maps of the image, each [1, c, h, w].
        evidence: Of the image, with calibrated ``attention``.
        result: M instances with ``bboxes`` in image pixels, ``labels``, ``masks``.
        image: [h, w, 3] uint8.
    """

    def __init__(
        self,
        model: LabelPEnet,
        feats: tuple[torch.Tensor, ...],
        evidence: Evidence,
        result: InstanceData,
        image: np.ndarray,
    ) -> None:
        self.model = model
        self.feats = feats
        self.evidence = evidence
        self.result = result
        self.image = image

    def stage_4(self) -> torch.Tensor:
        """Masks of the last stage, fitted to the image where its config asks for that."""
        return self.result.masks

    @torch.no_grad()
    def soft_masks(self) -> torch.Tensor:
        """Masks of the last stage as it gives them, not fitted to the image."""
        head, labels = self.model.cascade['segmentation'].mask_head, self.result.labels
        soft = head.label_logits(self.feats, [self._input_boxes()], labels).sigmoid()
        return head.plain_masks(soft, self.result, self.evidence.ori_shape)

    def box(self) -> torch.Tensor:
        """Filled boxes."""
        return self._each(partial(filled, size=self.image.shape))

    def grab_cut(self) -> torch.Tensor:
        """GrabCut started from each box."""
        return self._each(partial(grab_cut, self.image))

    def attention(self) -> torch.Tensor:
        """Sharpened attention of the class, at least half of its peak, inside the box."""
        maps = self.evidence.attention[self.result.labels]
        stride = self.evidence.attention_stride
        return (maps_on_image(maps, stride, self.evidence) >= 0.5) & self.box()

    def refined(self) -> torch.Tensor:
        """Attention divided by its peak in the box, fitted to the image, at least half."""
        stride = self.evidence.attention_stride
        maps = self.evidence.attention[self.result.labels]
        maps = maps * inside_boxes(self._input_boxes() / stride, *maps.shape[-2:])
        refiners = self.model.calibration.refiners
        maps, stride = refined(refiners, self.evidence.image, normalise(maps), stride)
        return (maps_on_image(maps, stride, self.evidence) >= 0.5) & self.box()

    def _input_boxes(self) -> torch.Tensor:
        scale = self.result.bboxes.new_tensor(self.evidence.scale_factor * 2)
        return self.result.bboxes * scale

    def _each(self, mask: Callable[[Sequence[float]], np.ndarray]) -> torch.Tensor:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            masks = list(pool.map(mask, self.result.bboxes.tolist()))
        empty = np.zeros((0, *self.image.shape[:2]), dtype=bool)
        return torch.from_numpy(np.stack(masks) if masks else empty).to(self.result.labels.device)


ROWS = {
    'masks of stage 4': Sources.stage_4,
    'masks of stage 4, not fitted to the photo': Sources.soft_masks,
    'GrabCut from the box': Sources.grab_cut,
    'sharpened attention >= .5 in the box': Sources.attention,
    'the same by its peak in the box, and refined by colour': Sources.refined,
    'box filled': Sources.box,
}


def measure(args: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Figures of each source."""
    model, cfg = build_row(args.config, args.checkpoint, {'model.test_cfg.stage': 'segmentation'})
    dataset = DATASETS.build(cfg.test_dataloader.dataset)
    dataset.get_subset_(list(range(0, len(dataset), args.every)))
    loader = Runner.build_dataloader(dict(cfg.test_dataloader, dataset=dataset))
    evaluators = {}
    for name in args.rows:
        evaluators[name] = Evaluator([dict(one) for one in METRICS])
        evaluators[name].dataset_meta = loader.dataset.metainfo
    for batch in tqdm(loader, unit='photo'):
        samples = model.test_step(batch)
        feats, evidence = model.read(batch)
        for index, (sample, one) in enumerate(zip(samples, model.attend(feats, evidence))):
            own = tuple(level[index : index + 1] for level in feats)
            result = sample.pred_instances
            result = result[result.scores.argsort(descending=True)[: args.best]]
            sources = Sources(model, own, one, result, read_image(sample.img_path))
            for name in args.rows:
                sample.pred_instances = InstanceData(
                    scores=result.scores, labels=result.labels, masks=ROWS[name](sources)
                )
                evaluators[name].process(data_samples=[sample])
    return {name: one.evaluate(len(loader.dataset)) for name, one in evaluators.items()}


def make_table(rows: Sequence[dict]) -> str:
    """Markdown table: a line for each source, medians and ranges over seeds."""
    titles = 'mask AP@.25 | .5 | .75 | ABO'
    lines = [f'| masks | seeds | {titles} | without void: {titles} |', '|---' * 10 + '|']
    for name in dict.fromkeys(one['row'] for one in rows):
        own = [one for one in rows if one['row'] == name]
        keys = [*KEYS, *(f'no_void/{key}' for key in KEYS)]
        cells = [name, str(len(own)), *(summary([one[key] for one in own]) for key in keys)]
        lines.append(f'| {" | ".join(cells)} |')
    return '\n'.join(lines)


def main(argv: Sequence[str] | None = None) -> None:
    """Measure all sources and print a table."""
    args = parse_args(argv)
    register_all_modules()
    rows: list[dict] = []
    for name, figures in measure(args).items():
        row = {'row': name, 'seed': args.seed}
        row |= {key: round(float(value), 4) for key, value in figures.items()}
        rows = save_row(args.out, row) if args.out else [*rows, row]
    print(make_table(rows), flush=True)


if __name__ == '__main__':
    run_command(main)
