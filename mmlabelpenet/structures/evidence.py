"""The evidence of an image: the one value that travels through the cascade."""

from typing import Any

from mmengine.structures import BaseDataElement
from torch import Tensor

from .maps import Maps, grid_size


class Evidence(BaseDataElement):
    """Everything known of one image; each stage adds to it or refines it.

    All coordinates are those of the network input (after resizing), all tensors lie on the
    device of the features and none carries a gradient but the features. A field is absent until
    the stage that makes it has run:

    - ``image`` (Tensor): [3, H, W], the normalised network input without padding.
    - ``batch_feats`` (tuple of Tensor): the backbone's maps of the batch, each [B, c, h, w];
      :attr:`feats` is this image's slice.
    - ``scales`` (sequence of Evidence): the image at further scales (``attention_scales``), with
      the same fields where they apply. They are computed when they are first read.
    - ``tags`` (Tensor): [C] in {0, 1}, the image-level labels; absent or unused at test time.
    - ``known`` (Tensor): [C] in {0, 1}, beside ``tags``: 0 where a class is only present as a
      difficult object, so that its tag of 0 does not say that it is absent.
    - ``image_scores`` (Tensor): [C] in 0..1, stage 1's probability that a class is present.
    - ``proposals`` (InstanceData): ``bboxes`` [N, 4] xyxy in pixels; after stage 1 also
      ``scores`` [N, C], the score of each proposal for each class. Learned proposals have an
      ``objectness`` [N] in 0..1, which multiplies the scores of box stages.
    - ``attention`` (Maps): [C, h, w] in 0..1, each class's map divided by its maximum.
    - ``pseudo_instances`` (InstanceData): M pseudo instances of tagged classes with
      ``bboxes`` [M, 4], ``labels`` [M], ``scores`` [M], ``weights`` [M] (the factor of
      their losses) and ``attention`` [M, h', w'] in 0..1, on the grid of ``instance_stride``;
      after stage 3 also ``masks`` [M, h', w'] in 0..1 on that grid.
    - ``instance_stride`` (int): see there; :meth:`instance_maps` joins maps and stride.
    - ``detections`` (InstanceData), at test time: boxes of stage 2 that stage 3 adds masks to.
    - ``found`` (InstanceData), on the way back: the last stage's instances of tagged classes, with
      ``bboxes``, ``labels``, ``scores`` and ``masks`` as above; after stage 2 also
      ``agreement`` [F] in 0..1, which the pseudo instances have then too.
    - ``validated`` (InstanceData), for pictures: the pseudo instances after the way back.
    - ``ground_truth`` (InstanceData), only in the training of an upper bound, and of images whose
      labels were corrected: ``bboxes``, ``labels`` and, where known, ``masks``.

    - ``index`` (int): the image's place in ``batch_feats``; 0 where it is absent.

    Metainfo: that of the data sample, among it ``img_shape`` (h, w) of the unpadded input.
    """

    @property
    def feats(self) -> tuple[Tensor, ...]:
        """The backbone's maps of this image, each [1, c, h, w], padded as in the batch."""
        index = self.get('index', 0)
        return tuple(level[index : index + 1] for level in self.batch_feats)

    def cells(self, level: int, stride: int) -> Tensor:
        """The backbone's map of a level [1, c, h, w], cut to the cells that the image covers."""
        rows, columns = grid_size(self.img_shape, stride)
        return self.feats[level][..., :rows, :columns]

    def replace(self, **fields: Any) -> 'Evidence':
        """A copy with some fields set anew; the others are shared."""
        copy = self.clone()
        copy.set_data(fields)
        return copy

    def with_pseudo(self, **fields: Tensor) -> 'Evidence':
        """A copy with some fields [M, ...] of the pseudo instances set anew."""
        pseudo = self.pseudo_instances.clone()
        pseudo.set_data(fields)
        return self.replace(pseudo_instances=pseudo)

    def instance_maps(self, name: str = 'attention') -> Maps:
        """Maps [M, h', w'] of the pseudo instances (``'attention'`` or ``'masks'``)."""
        return Maps(self.pseudo_instances[name], self.instance_stride)
