"""Corrected labels of some images, which are truth for them; the others have their tags."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from mmcv.transforms import BaseTransform
from pycocotools import mask as mask_api

from mmlabelpenet.registry import TRANSFORMS

from ..devkit import VOID
from .corrections import CorrectedObject, name_in, read_corrections
from .labels import Labels


@TRANSFORMS.register_module()
@dataclass(eq=False)
class LoadCorrections(BaseTransform):
    """Read the corrected labels of an image, if it has any, as those of LoadTrueInstances.

    ``tools/train.py --corrections`` puts it behind the step that loads images. Tags of such an
    image are the classes of its corrected labels. Pixels of an object without a mask have the
    value 255: its attention takes the place of the mask.

    Attributes:
        label_file: See :func:`read_corrections`.
        classes: Names of the classes of the data set, in its order.
    """

    label_file: str
    classes: Sequence[str]

    def transform(self, results: dict) -> dict:
        """Add the labels to ``results``."""
        known = read_corrections(self.label_file)
        name = name_in(known, results['img_path'])
        if name is None:
            return results
        labels = self._labels(known[name], results['img_shape'][:2])
        results['corrected'] = True
        results['tags'] = sorted({*labels.labels.tolist()})
        results['ignored_tags'] = []
        return labels.fill(results)

    def _labels(self, objects: Sequence[CorrectedObject], size: Sequence[int]) -> Labels:
        numbers = {name: label for label, name in enumerate(self.classes)}
        masks: np.ndarray = np.full((len(objects), *size), VOID, dtype=np.uint8)
        for mask, one in zip(masks, objects):
            if one.mask is not None:
                mask[:] = mask_api.decode(one.mask)
        return Labels(
            np.array([one.bbox for one in objects], dtype=np.float32).reshape(-1, 4),
            np.array([numbers[one.label] for one in objects], dtype=np.int64),
            masks,
            np.ones(len(objects), dtype=np.float32),
        )
