"""Average precision as PASCAL VOC computes it."""

import numpy as np

AP_MODES = ('area', '11points')


def average_precision(hits: np.ndarray, num_true: int, mode: str = 'area') -> float:
    """Average precision of one class's ranked predictions.

    Args:
        hits: [N] bool, best score first: whether each prediction is a true positive.
            Predictions that count neither way must have been taken out.
        num_true: Number of objects to be found.
        mode: ``'area'`` under the precision envelope (VOC 2010 and later) or ``'11points'``,
            the mean of the envelope at recalls 0, .1, ..., 1 (VOC 2007).

    Returns:
        A value in 0..1; nan where ``num_true`` is 0, for then nothing is measured.

    Raises:
        ValueError: If ``mode`` is neither of the two.

    Source: Everingham et al., The PASCAL VOC challenge, IJCV 2010, section 4.2; its devkit's
    ``VOCevaldet.m`` and ``VOCap.m``. The recall points are ``np.arange(0, 1.1, .1)``, as in
    py-faster-rcnn and chainercv, so that equal curves give equal figures.

    Examples:
        >>> average_precision(np.array([True, False, True]), num_true=2)
        0.8333333333333333
    """
    if mode not in AP_MODES:
        raise ValueError(f'mode must be one of {AP_MODES}, but is {mode!r}')
    if num_true == 0:
        return float('nan')
    hits = np.asarray(hits, dtype=bool)
    found = np.cumsum(hits)
    recall = found / num_true
    precision = found / np.arange(1, len(hits) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    if mode == 'area':
        # recall rises by 1 / num_true at each hit and stands still elsewhere
        return float(envelope[hits].sum() / num_true)
    reached = np.searchsorted(recall, np.arange(0, 1.1, 0.1), side='left')
    return float(np.append(envelope, 0.0)[reached].mean())


def mean_over_valid(values: np.ndarray) -> float:
    """Mean over the entries that are not nan; nan where there is none.

    Args:
        values: Array of any shape; nan marks a class that does not occur.
    """
    values = np.asarray(values, dtype=float)
    valid = values[~np.isnan(values)]
    return float(valid.mean()) if valid.size else float('nan')
