"""Values of a config: the ranges of numbers, and the types of this package's own settings."""

import math
from collections.abc import Iterator, Mapping, Sequence
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

# Settings by name, wherever they are in a config: least and greatest value. A value of None, text
# or a dict is not a number of its own; of a sequence each item counts.
_COUNTS = (
    'accumulative_counts base_batch_size batch_size channels chunk_size dilations epoch_length '
    'fc_channels in_channels label_size max_cells max_epochs max_images max_iters max_per_class '
    'max_per_image max_proposals num_branches num_candidates num_classes num_convs num_groups '
    'num_proposals num_samples out_channels out_stride pad_size_divisor prefetch_factor '
    'refine_best roi_size scale sides stride strides times T_max val_interval window_size'
)
_AMOUNTS = (
    'alternate attention_scales context decay_mult dilation epochs final_factor gamma iterations '
    'least_spread lr lr_factor lr_mult loss_image_weight loss_region_weight max_gigabytes '
    'max_norm min_bbox_size min_updates num_fcs num_images num_workers opencv_num_threads power '
    'ratios key_regions regression_weight regressions scales score_power seed std steps timeout '
    'tolerance val_begin wait_time warmup weight_decay weights'
)
_SHARES = (
    'background dropout eta_min_ratio extend_iou extend_score foreground iou_thr iou_threshold '
    'iou_thrs keep_ratio least_part min_iou momentum neg_iou nms_iou part_penalty portion '
    'pos_fraction pos_iou prob ramp replace_iou score_threshold start_factor threshold tighten '
    'validation vote_iou'
)
RANGES: dict[str, tuple[float, float]] = {
    **dict.fromkeys(_COUNTS.split(), (1, math.inf)),
    **dict.fromkeys(_AMOUNTS.split(), (0, math.inf)),
    **dict.fromkeys(_SHARES.split(), (0, 1)),
}
# -1 means never, or all.
ENDLESS = ('interval', 'max_keep_ckpts')
WHOLE = frozenset(ENDLESS) | frozenset(
    (
        _COUNTS + ' alternate iterations key_regions min_updates num_fcs num_images num_workers '
        'regressions seed val_begin'
    ).split()
)
NOT_ZERO: tuple[str, ...] = ('attention_scales', 'context', 'dilation', 'max_norm', 'portion')
NOT_ZERO += ('ratios', 'scales', 'start_factor', 'std', *ENDLESS)
RANGES |= dict.fromkeys((*ENDLESS, 'frozen_stages'), (-1, math.inf)) | {'mean': (0, 255)}
_LISTS = (list, tuple, Sequence)
NOT_EMPTY: tuple[str, ...] = ('dilations', 'in_channels', 'iou_thrs', 'levels', 'ratios', 'sides')
NOT_EMPTY += ('strides', 'scale', 'scales', 'corloc_evaluator', 'test_evaluator')
NOT_EMPTY += ('val_evaluator',)


def wrong_value(name: str, value: Any, hint: Any = Any) -> str | None:
    """Find out what is wrong with the value of a setting.

    Args:
        name: The last part of its key.
        value: The value.
        hint: The type that its reader asks for.

    Returns:
        What it must be; None if the value is right.
    """
    if hint is not Any and not fits(value, hint):
        number = _wrong_number(name, value) if fits(1, hint) else None
        return number or f'must be {describe(hint)}'
    if isinstance(value, Sequence) and not value and name in NOT_EMPTY:
        return 'must have at least one value'
    return _wrong_number(name, value)


def comma_advice(value: Any, hint: Any) -> str:
    """Say where the comma is that has perhaps made a list of a value, if it should be none."""
    lists = any((get_origin(one) or one) in _LISTS for one in (hint, *get_args(hint)))
    if lists or not isinstance(value, list | tuple) or not value or not fits(value[0], hint):
        return ''
    if isinstance(value, tuple) and len(value) == 1:
        return ': delete the comma at the end of its line, which makes a list of it'
    number = isinstance(value[0], int | float)
    return ': a comma makes a list, and decimals are written with a point' if number else ''


def _wrong_number(name: str, value: Any) -> str | None:
    numbers = list(_numbers(value))
    if any(math.isnan(one) for one in numbers):
        return 'must be a finite number'
    if name not in RANGES:
        return None
    least, greatest = RANGES[name]
    if isinstance(value, str) or any(not least <= one <= greatest for one in numbers):
        whole = 'a whole number' if name in WHOLE else 'a number'
        limits = f'from {least} to {greatest}' if greatest < math.inf else f'of at least {least}'
        return f'must be {whole} {limits}'
    if name in WHOLE and any(one != int(one) for one in numbers):
        return 'must be a whole number'
    if name == 'neg_iou' and numbers != sorted(numbers):
        return 'must be the least and the greatest share, in this order'
    if name in NOT_ZERO and 0 in numbers:
        return 'must not be 0'
    if name != 'max_gigabytes' and math.inf in numbers:
        return 'must be finite'
    return None


def _numbers(value: Any) -> Iterator[float]:
    if isinstance(value, int | float) and not isinstance(value, bool):
        yield value
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _numbers(one)


def fits(value: Any, hint: Any) -> bool:
    """Whether a value of a config is of a type: numbers, texts, lists and dicts are told apart.

    Args:
        value: The value.
        hint: The type of an argument; true for types that are none of a config.
    """
    origin, parts = get_origin(hint), get_args(hint)
    if hint is Any:
        return True
    if origin in (Union, UnionType):
        return any(fits(value, one) for one in parts)
    if origin is Literal:
        return value in parts
    if hint is type(None):
        return value is None
    if hint in (bool, str):
        return isinstance(value, hint)
    if hint in (int, float):
        return isinstance(value, (int, hint)) and not isinstance(value, bool)
    return _fits_container(value, origin or hint, parts)


def _fits_container(value: Any, kind: Any, parts: tuple) -> bool:
    if kind in (dict, Mapping):
        inner = parts[1] if parts else Any
        return isinstance(value, Mapping) and all(fits(one, inner) for one in value.values())
    if kind in _LISTS:
        items = isinstance(value, list | tuple)
        if parts and (kind is not tuple or parts[1:] == (...,)):
            parts = parts[:1] * len(value) if items else ()
        return items and (not parts or (len(parts) == len(value) and all(map(fits, value, parts))))
    return True


_WORDS = {
    bool: 'True or False',
    int: 'a whole number',
    float: 'a number',
    str: 'text',
    dict: 'a dict',
    Mapping: 'a dict',
    type(None): 'None',
}


def describe(hint: Any) -> str:
    """Describe a type in words, such as ``a number or None``."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return ' or '.join(describe(one) for one in parts)
    if origin is Literal:
        return ' or '.join(repr(one) for one in parts)
    each = f', each {describe(parts[-1])}' if parts[-1:] not in ((), (...,), (Any,)) else ''
    if (origin or hint) in _LISTS:
        fixed = origin is tuple and parts[1:] != (...,)
        return f'a list of {len(parts)}' if fixed else f'a list{each}'
    return _WORDS.get(origin or hint, str(hint)) + each
