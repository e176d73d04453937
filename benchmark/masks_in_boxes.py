r"""Masks in a detector's own boxes, by what makes them.

The boxes of one checkpoint on the test images, with the masks of its last stage, with those of
GrabCut started from each box, with attention inside the box, and filled. Tags of the test images
are not used.

Example:
    python benchmark/masks_in_boxes.py CONFIG CHECKPOINT \
        --out docs/research/benchmarks/masks_in_boxes.json

With ``--seed`` the file holds rows of several trainings, and the table their medians.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np
import torch
from mmengine.structures import InstanceData
from pseudo_labels import build_evaluator, build_row, common_parser, load_every, rounded
from report import add_result, summary_table
from tqdm import tqdm

from mmlabelpenet.apis import run_command
from mmlabelpenet.models import LabelPEnet
from mmlabelpenet.models.refiners import refine
from mmlabelpenet.structures import Evidence, Maps
from mmlabelpenet.structures.maps import inside_boxes
from mmlabelpenet.utils import read_image, register_all_modules

METRICS = (
    dict(type='VOCInstanceMetric'),
    dict(type='VOCInstanceMetric', ignore_void=True, prefix='no_void'),
)
COLUMNS = {
    'mask AP@.25': 'segm_mAP_25',
    '.5': 'segm_mAP_50',
    '.75': 'segm_mAP_75',
    'ABO': 'segm_ABO',
    'without void: AP@.25': 'no_void/segm_mAP_25',
    '.5 ': 'no_void/segm_mAP_50',
    '.75 ': 'no_void/segm_mAP_75',
    'ABO ': 'no_void/segm_ABO',
}


def pixel_box(box: Sequence[float], size: Sequence[int]) -> tuple[int, int, int, int]:
    """Corners x1, y1, x2, y2 of a box in whole pixels of an image (h, w).

    The last two are outside. The box is within the image and never empty.
    """
    sides = (size[1], size[0])
    x1, y1 = (min(max(round(float(v)), 0), side - 1) for v, side in zip(box, sides))
    x2, y2 = (round(float(v)) for v in box[2:])
    return x1, y1, min(max(x2, x1 + 1), sides[0]), min(max(y2, y1 + 1), sides[1])


def filled(box: Sequence[float], size: Sequence[int]) -> np.ndarray:
    """A box [4] as a mask of an image (h, w)."""
    x1, y1, x2, y2 = pixel_box(box, size)
    mask = np.zeros(size[:2], dtype=bool)
    mask[y1:y2, x1:x2] = True
    return mask


def grab_cut(image: np.ndarray, box: Sequence[float], rounds: int = 5) -> np.ndarray:
    """The object of a box, by GrabCut (Rother et al., SIGGRAPH 2004).

    The surroundings of the box, half its sides wide, are background; within it all may be object.

    Args:
        image: [h, w, 3] uint8.
        box: x1, y1, x2, y2 in its pixels.
        rounds: Iterations of its colour model.

    Returns:
        [h, w] bool; the filled box where it has no surroundings, or no pixel is found to be
        object.
    """
    inside = filled(box, image.shape)
    x1, y1, x2, y2 = pixel_box(box, image.shape)
    right, below = (x2 - x1) // 2 + 1, (y2 - y1) // 2 + 1
    window = np.s_[max(y1 - below, 0) : y2 + below, max(x1 - right, 0) : x2 + right]
    labels = np.where(inside[window], cv2.GC_PR_FGD, cv2.GC_BGD).astype(np.uint8)
    # It fits five Gaussians to the pixels of each kind.
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


@dataclass
class Sources:
    """Sources of masks for the boxes of one image.

    Args:
        model: The detector.
        evidence: Of the image, with calibrated ``attention``.
        result: M instances with ``bboxes`` in image pixels, ``labels``, ``masks``.
        image: [h, w, 3] uint8.
    """

    model: LabelPEnet
    evidence: Evidence
    result: InstanceData
    image: np.ndarray

    def stage_4(self) -> torch.Tensor:
        """Masks of the last stage, refined by colour if its config says so."""
        return self.result.masks

    @torch.no_grad()
    def soft_masks(self) -> torch.Tensor:
        """Masks of the last stage, not refined by colour."""
        stage = self.model.cascade['segmentation']
        found = InstanceData(bboxes=self._input_boxes(), labels=self.result.labels)
        [soft] = stage.soft_masks(self.evidence.feats, [found])
        return stage.mask_head.paste(soft, self.result, self.evidence.ori_shape)

    def box(self) -> torch.Tensor:
        """Filled boxes."""
        return self._each(partial(filled, size=self.image.shape))

    def grab_cut(self) -> torch.Tensor:
        """GrabCut started from each box."""
        return self._each(partial(grab_cut, self.image))

    def attention(self) -> torch.Tensor:
        """Sharpened attention of the class, at least half of its peak, inside the box."""
        return self._in_box(self.evidence.attention[self.result.labels])

    def refined(self) -> torch.Tensor:
        """Attention divided by its peak in the box, refined by colour, at least half."""
        maps = self.evidence.attention[self.result.labels]
        inside = inside_boxes(self._input_boxes() / maps.stride, *maps.values.shape[-2:])
        maps = Maps(maps.values * inside, maps.stride).normalise()
        return self._in_box(refine(self.model.calibration.refiners, self.evidence, maps))

    def _in_box(self, maps: Maps) -> torch.Tensor:
        shapes = self.evidence.ori_shape, self.evidence.scale_factor
        return (maps.on_image(*shapes) >= 0.5) & self.box()

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
    'masks of stage 4, not refined by colour': Sources.soft_masks,
    'GrabCut from the box': Sources.grab_cut,
    'sharpened attention >= .5 in the box': Sources.attention,
    'the same by its peak in the box, and refined by colour': Sources.refined,
    'box filled': Sources.box,
}


def measure(
    config: str, checkpoint: str, names: Sequence[str], best: int, every: int
) -> dict[str, dict[str, float]]:
    """Measure masks of some sources in a detector's boxes.

    Args:
        config: Path of the config.
        checkpoint: Of the detector.
        names: Of ``ROWS``.
        best: Boxes of an image, by score.
        every: Takes every n-th image.

    Returns:
        Figures of each source.
    """
    model, cfg = build_row(config, checkpoint, {'model.test_cfg.stage': 'segmentation'})
    loader = load_every(cfg.test_dataloader, every)
    evaluators = {name: build_evaluator(METRICS, loader) for name in names}
    for batch in tqdm(loader, unit='image'):
        samples = model.test_step(batch)
        evidence = model.read_evidence(batch, tagged=False)
        for sample, one in zip(samples, model.cascade.infer('classification', evidence)):
            result = sample.pred_instances
            result = result[result.scores.argsort(descending=True)[:best]]
            sources = Sources(model, one, result, read_image(sample.img_path))
            for name, evaluator in evaluators.items():
                sample.pred_instances = InstanceData(
                    scores=result.scores, labels=result.labels, masks=ROWS[name](sources)
                )
                evaluator.process(data_samples=[sample])
    return {name: one.evaluate(len(loader.dataset)) for name, one in evaluators.items()}


def main(argv: Sequence[str] | None = None) -> None:
    """Measure all sources and print a table."""
    parser = common_parser(__doc__.splitlines()[0], ROWS)
    parser.add_argument('--seed', type=int, default=0, help='of the training')
    parser.add_argument('--best', type=int, default=15, help='boxes of an image, by score')
    args = parser.parse_args(argv)
    register_all_modules()
    figures = measure(args.config, args.checkpoint, args.rows, args.best, args.every)
    results = [{'row': row, 'seed': args.seed, **rounded(one)} for row, one in figures.items()]
    if args.out:
        results = [add_result(one, args.out) for one in results][-1]
    print(summary_table(results, COLUMNS))


if __name__ == '__main__':
    run_command(main)
