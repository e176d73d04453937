"""The evidence: the one value that travels through the cascade."""

from mmengine.structures import BaseDataElement


class Evidence(BaseDataElement):
    """What is known of one image, made finer by every stage that it passes.

    All coordinates are those of the network input (after resizing), all tensors lie on the
    device of the features and none carries a gradient. A field is absent until the stage
    that makes it has run:

    - ``image`` (Tensor): [3, H, W], what the network sees, normalised, without padding.
    - ``tags`` (Tensor): [C] in {0, 1}, the image-level labels; at test time absent or unused.
    - ``known`` (Tensor): [C] in {0, 1}, beside ``tags``: 0 where a class is only there as a
      difficult object, so that its tag of 0 does not tell that it is absent.
    - ``image_scores`` (Tensor): [C] in 0..1, stage 1's belief that a class is in the image.
    - ``proposals`` (InstanceData): ``bboxes`` [N, 4] xyxy in pixels; after stage 1 also
      ``scores`` [N, C], the score of each proposal for each class.
    - ``attention`` (Tensor): [C, h, w] in 0..1, each class's map divided by its maximum, on
      the grid of the stride that ``metainfo['attention_stride']`` tells.
    - ``pseudo_instances`` (InstanceData): M pseudo instances of tagged classes with
      ``bboxes`` [M, 4], ``labels`` [M], ``scores`` [M], ``weights`` [M] (the factor of
      their losses) and ``attention`` [M, h', w'], each instance's own in 0..1, on the grid of
      the stride that ``metainfo['instance_stride']`` tells; after stage 3 also ``masks``
      [M, h', w']: the mask in 0..1 on that grid.
    - ``views`` (list of Evidence), where stage 1 or the calibration asks for them: the image at
      further sizes (``attention_scales``), each with its own ``image``, ``feats`` (the backbone's
      maps) and, after stage 1, ``attention``.
    - ``found`` (InstanceData), on the way back: what the last stage finds of tagged classes, with
      ``bboxes``, ``labels``, ``scores`` and ``masks`` as above; after stage 2 also
      ``agreement`` [F] in 0..1, as the pseudo instances have it then.
    - ``truth`` (InstanceData), only in an upper bound's training: true ``bboxes``, ``labels``
      and, where known, ``masks``.

    Metainfo: ``img_shape`` (h, w) of the unpadded input, ``batch_input_shape``.
    """
