"""The same photo at other sizes, where attention is read as well."""

import torch.nn.functional as F

from mmlabelpenet.structures import Evidence


def rescaled(evidence: Evidence, scale: float) -> Evidence:
    """A view of a photo at another size, with what attention needs to know of it.

    Args:
        evidence: With ``photo`` [3, H, W].
        scale: Of its sides.

    Returns:
        Evidence with a bilinear ``photo``, its own ``img_shape`` and the same ``tags``.
    """
    size = tuple(max(round(int(side) * scale), 1) for side in evidence.img_shape[:2])
    view = Evidence(metainfo=dict(evidence.metainfo) | {'img_shape': size})
    view.photo = F.interpolate(
        evidence.photo[None], size, mode='bilinear', align_corners=False, antialias=scale < 1
    )[0]
    if 'tags' in evidence:
        view.tags = evidence.tags
    return view
