"""Proposals of images that have none yet."""

from pathlib import Path

import numpy as np
from mmcv.transforms import BaseTransform

from mmlabelpenet.proposals import make_proposals, proposal_path, read_proposals
from mmlabelpenet.registry import TRANSFORMS
from mmlabelpenet.utils import UserError


@TRANSFORMS.register_module()
class ProvideRegionProposals(BaseTransform):
    """Give an image proposals: those that are given, or stored, or made by Selective Search.

    The place of ``LoadRegionProposals`` for single images. What is made here is what
    ``tools/proposals/make_proposals.py`` makes by the same settings.

    Required Keys:

    - img (np.uint8): the image in its own size
    - ori_shape (tuple): its (h, w)
    - proposals (np.ndarray, optional): [N, 4] xyxy in the image's pixels, x2 and y2 exclusive
    - image_id, dataset_name (str, optional): where proposals are stored

    Added Keys:

    - proposals (np.float32): [N, 4]
    - proposals_scores (np.float32): [N] zeros

    Args:
        proposal_root: Folder that holds ``{dataset_name}/{image_id}.npz``, or the folder of one
            data set; None lets proposals be made. Images without a name have theirs made.
        quality: ``'fast'`` or ``'quality'``.
        max_num: At most so many; all where None.

    Raises:
        UserError: If given proposals are no boxes, or stored ones are missing or made for another
            image.
    """

    def __init__(
        self,
        proposal_root: str | None = None,
        quality: str = 'fast',
        max_num: int | None = None,
    ) -> None:
        self.proposal_root = proposal_root
        self.quality = quality
        self.max_num = max_num

    def transform(self, results: dict) -> dict:
        """Add proposals to ``results``."""
        if 'proposals' in results:
            bboxes = np.asarray(results['proposals'], dtype=np.float32)
            if bboxes.size and (bboxes.ndim != 2 or bboxes.shape[1] != 4):
                raise UserError(
                    f'Proposals are [N, 4] boxes x1 y1 x2 y2, not {list(bboxes.shape)}.'
                )
        elif self.proposal_root is not None and 'photo_id' in results:
            size = tuple(results['ori_shape'][:2])
            bboxes = read_proposals(self._path(results), size, self.max_num).bboxes
        else:
            bboxes = make_proposals(results['img'], self.quality, self.max_num).bboxes
        results['proposals'] = bboxes.reshape(-1, 4).astype(np.float32)
        results['proposals_scores'] = np.zeros(len(results['proposals']), dtype=np.float32)
        return results

    def _path(self, results: dict) -> Path:
        root, name = Path(str(self.proposal_root)), results['photo_id']
        direct = root / f'{name}.npz'
        return direct if direct.exists() else proposal_path(root, results['dataset_name'], name)

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(proposal_root={self.proposal_root!r}, '
            f'quality={self.quality!r}, max_num={self.max_num})'
        )
