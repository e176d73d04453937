"""Loading images and their proposals."""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from mmcv.transforms import BaseTransform
from mmdet.datasets.transforms import ProposalBroadcaster as MMDetProposalBroadcaster
from mmengine.fileio import get

from mmlabelpenet.proposals import (
    image_proposal_path,
    make_proposals,
    read_proposals,
    require_boxes,
)
from mmlabelpenet.registry import TRANSFORMS
from mmlabelpenet.utils import UserError, decode_image, read_image_bytes

from ..tagged import warn_of_first

ProposalSource = Literal['learned', 'stored', 'search']
OTHER_SIZE = (
    '{path} has another size upright than its annotation says: its boxes are used as they are; '
    'annotate this very photo, or restore the annotated one; tools/misc/check_dataset.py lists '
    'all such photos.'
)


@TRANSFORMS.register_module()
@dataclass(eq=False)
class LoadImageFromFile(BaseTransform):
    """Read an image exactly as it was read for its proposals, see :func:`decode_image`.

    It has the name of MMCV's transform and replaces it in this package's scope, so that configs
    and tools written for that one read images of any kind.

    Required Keys:

    - img_path (str)
    - annotated_size (tuple, optional): (h, w) of the image that was annotated

    Added Keys:

    - img (np.uint8): [H, W, 3] BGR, upright
    - img_shape, ori_shape (tuple): (h, w)
    - photo_crc (int): CRC-32 of the file

    Args:
        to_float32: Whether to convert ``img`` to float32.
        backend_args: Of MMEngine's file storage; None reads local files.

    Raises:
        UserError: If the image is missing, truncated, damaged, no image, or of another size than
            its annotations.
    """

    to_float32: bool = False
    backend_args: dict | None = None

    def transform(self, results: dict) -> dict:
        """Add the image to ``results``."""
        path, backend = results['img_path'], self.backend_args
        data = read_image_bytes(path) if backend is None else get(path, backend_args=backend)
        img = decode_image(data, path)
        size = results.get('annotated_size', img.shape[:2])
        if tuple(size) != img.shape[:2]:
            raise UserError(
                f'{path} has {img.shape[1]} x {img.shape[0]} pixels upright, its annotation says '
                f'{size[1]} x {size[0]}: annotate this very photo, or restore the annotated one.'
            )
        known = results.get('height', img.shape[0]), results.get('width', img.shape[1])
        if known != img.shape[:2]:
            warn_of_first(OTHER_SIZE, path)
        results['img'] = img.astype(np.float32) if self.to_float32 else img
        results['img_shape'] = results['ori_shape'] = img.shape[:2]
        results['photo_crc'] = zlib.crc32(data)
        return results


@TRANSFORMS.register_module()
@dataclass(eq=False)
class LoadRegionProposals(BaseTransform):
    """Read an image's proposals from ``{proposal_root}/{dataset_name}/{image}.npz``.

    Mmdet's ``ProposalBroadcaster`` then applies Resize and RandomFlip to them.

    Required Keys:

    - img_id (str), or photo_id (str) if proposals have another name than results
    - dataset_name (str)
    - ori_shape (tuple): (h, w) of the image, so that it must be loaded before
    - photo_crc (int, optional): CRC-32 of the image's file

    Added Keys:

    - proposals (np.float32): [N, 4] xyxy in the image's pixels, x2 and y2 exclusive
    - proposals_scores (np.float32): [N] zeros; the model computes scores

    Args:
        proposal_root: Folder with one folder per data set.
        max_num: Maximum number of proposals, the first ones; None for all.

    Raises:
        UserError: If the file is missing, damaged, or made for an image of another size or with
            other content.
    """

    proposal_root: str
    max_num: int | None = None

    def transform(self, results: dict) -> dict:
        """Add the image's proposals to ``results``."""
        results['proposals'] = self._boxes(results).reshape(-1, 4).astype(np.float32)
        results['proposals_scores'] = np.zeros(len(results['proposals']), dtype=np.float32)
        return results

    def _boxes(self, results: dict) -> np.ndarray:
        path, crc = image_proposal_path(self.proposal_root, results), results.get('photo_crc', 0)
        return read_proposals(path, tuple(results['ori_shape'][:2]), self.max_num, crc).bboxes


@TRANSFORMS.register_module()
@dataclass(eq=False)
class ProvideRegionProposals(LoadRegionProposals):
    """Use the given proposals of an image, or read stored ones, or make them by Selective Search.

    It replaces ``LoadRegionProposals`` for single images. Proposals are made as by
    ``tools/proposals/make_proposals.py`` with the same settings. A model that has learned
    proposals makes them itself for images that bring none.

    Required Keys:

    - img (np.uint8): the image in its original size
    - ori_shape (tuple): its (h, w)
    - proposals (np.ndarray, optional): [N, 4] xyxy in the image's pixels, x2 and y2 exclusive
    - photo_id, dataset_name (str, optional): identify stored proposals
    - photo_crc (int, optional): CRC-32 of the image's file

    Added Keys:

    - proposals (np.float32): [N, 4], unless the model makes them
    - proposals_scores (np.float32): [N] zeros

    Args:
        proposal_root: Folder that contains ``{dataset_name}/{photo_id}.npz``, or the folder of
            one data set; None to make proposals. Images without a ``photo_id`` have them made.
        max_num: Maximum number of proposals; None for all.
        quality: ``'fast'`` or ``'quality'``.
        source: ``'stored'`` as just said; ``'search'`` makes them for all images; ``'learned'``
            leaves them to the model.

    Raises:
        UserError: If given proposals are no boxes, or stored ones are missing or made for another
            image.
    """

    proposal_root: str | None = None  # type: ignore[assignment]
    quality: str = 'fast'
    source: ProposalSource = 'stored'

    def transform(self, results: dict) -> dict:
        """Add the image's proposals to ``results``, if they do not come from the model."""
        if self.source == 'learned' and 'proposals' not in results:
            return results
        return super().transform(results)

    def _boxes(self, results: dict) -> np.ndarray:
        if 'proposals' in results:
            boxes = np.asarray(results['proposals'], dtype=np.float32)
            if boxes.size and (boxes.ndim != 2 or boxes.shape[1] != 4):
                raise UserError(
                    f'Proposals are [N, 4] boxes x1 y1 x2 y2, not {list(boxes.shape)}.'
                )
            boxes = boxes.reshape(-1, 4)
            name = f'The given proposals of {results.get("img_path") or "an array"}'
            require_boxes(boxes, results['ori_shape'][:2], name, 'give x1, y1, x2, y2 in pixels')
            return boxes
        searched = self.source == 'search' or 'photo_id' not in results
        if searched or self.proposal_root is None:
            return make_proposals(results['img'], self.quality, self.max_num).bboxes
        path = Path(self.proposal_root) / f'{results["photo_id"]}.npz'
        if not path.exists():
            path = image_proposal_path(self.proposal_root, results)
        crc = results.get('photo_crc', 0)
        return read_proposals(path, tuple(results['ori_shape'][:2]), self.max_num, crc).bboxes


@TRANSFORMS.register_module()
class ProposalBroadcaster(MMDetProposalBroadcaster):
    """Mmdet's, which also takes images without proposals.

    It has the name of mmdet's transform and replaces it in this package's scope.

    Args:
        transforms: Configs of the wrapped transforms.
        min_bbox_size: Least side of a proposal in pixels after these transforms, those of the
            network input; proposals with a shorter side are left out. An image without proposals
            is one proposal itself. The views of ``TestTimeAug`` need one scale then, since their
            proposals must be the same.
    """

    def __init__(
        self, transforms: Sequence[dict | Callable] = (), min_bbox_size: float = 0.0
    ) -> None:
        super().__init__(list(transforms))
        self.min_bbox_size = min_bbox_size

    def transform(self, results: dict) -> dict:
        """Apply the wrapped transforms to the image and, if it has some, its proposals."""
        if 'proposals' not in results:
            return self.transforms(results)
        results = super().transform(results)
        if self.min_bbox_size > 0:
            bboxes = results['proposals']
            kept = (bboxes[:, 2:] - bboxes[:, :2]).min(axis=1) >= self.min_bbox_size
            for key in ('proposals', 'proposals_scores'):
                results[key] = results[key][kept]
        return results
