"""Average precision as in PASCAL VOC."""

from collections.abc import Sequence

import numpy as np

AP_MODES = ('area', '11points')


def require_ap_mode(mode: str) -> str:
    """Check the name of a mode of :func:`average_precision`, and return it.

    Args:
        mode: The name.

    Raises:
        ValueError: If it is unknown.
    """
    if mode not in AP_MODES:
        raise ValueError(f'The mode of average precision must be of {AP_MODES}, not {mode!r}')
    return mode


def average_precision(hits: np.ndarray, num_gt: int, mode: str = 'area') -> float:
    """Average precision of the ranked predictions of one class.

    Args:
        hits: [N] bool, best score first: whether each prediction is a true positive.
            Predictions that count neither way must be left out.
        num_gt: Number of ground-truth objects.
        mode: ``'area'`` under the precision envelope (VOC 2010 and later) or ``'11points'``,
            the mean of the envelope at recalls 0, .1, ..., 1 (VOC 2007).

    Returns:
        A value in 0..1; nan if ``num_gt`` is 0, since nothing is measured.

    Raises:
        ValueError: If ``mode`` is unknown.

    Source: Everingham et al., The PASCAL VOC challenge, IJCV 2010, section 4.2; its devkit's
    ``VOCevaldet.m`` and ``VOCap.m``. The recall points are ``np.arange(0, 1.1, .1)``, as in
    py-faster-rcnn and chainercv, so that equal curves give equal figures.

    Examples:
        >>> average_precision(np.array([True, False, True]), num_gt=2)
        0.8333333333333333
    """
    require_ap_mode(mode)
    if num_gt == 0:
        return float('nan')
    hits = np.asarray(hits, dtype=bool)
    found = np.cumsum(hits)
    recall = found / num_gt
    precision = found / np.arange(1, len(hits) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    if mode == 'area':
        # recall rises by 1 / num_gt at each hit and is constant elsewhere
        return float(envelope[hits].sum() / num_gt)
    reached = np.searchsorted(recall, np.arange(0, 1.1, 0.1), side='left')
    return float(np.append(envelope, 0.0)[reached].mean())


def mean_over_valid(values: np.ndarray | Sequence[float]) -> float:
    """Mean over the entries that are not nan; nan if there is none.

    Args:
        values: Numbers of any shape; nan marks a class that does not occur.
    """
    values = np.asarray(values, dtype=float)
    valid = values[~np.isnan(values)]
    return float(valid.mean()) if valid.size else float('nan')
