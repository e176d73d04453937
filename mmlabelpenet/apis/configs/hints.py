"""Types that other packages' classes ask for, as far as their annotations can be believed."""

import os
from collections.abc import Callable, Iterable, Mapping
from inspect import Parameter, isclass
from numbers import Number
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from torch import Tensor

from .values import fits

# Packages whose own configs give fractions, lists and None where their annotations do not say so.
_INEXACT = ('mmdet', 'mmcv', 'mmengine')
# In this order they are listed in sentences.
_ORDER = (bool, int, float, str, tuple, list, dict, NoneType)


def hint_of(function: Callable, parameter: Parameter) -> Any:
    """Get the types of values that a config may give for an argument.

    They are plain ones, since a config holds dicts in place of objects, or lists of them. What a
    default value is may be given too. Without an annotation, the default value alone tells a
    switch or a number.

    Args:
        function: Its annotations may be texts.
        parameter: Of its signature.

    Returns:
        A type of these, or Any if nothing is known.
    """
    hint, default = parameter.annotation, parameter.default
    if hint is parameter.empty:
        switch = isinstance(default, bool)
        number = isinstance(default, int | float) and not switch
        return bool | None if switch else float | list | dict | None if number else Any
    if isinstance(hint, str):
        try:
            hint = eval(hint, function.__globals__)
        except (AttributeError, NameError, SyntaxError, TypeError):
            return Any
    found = _plain_types(hint)
    if found and function.__module__.startswith(_INEXACT):
        found = _widened(found, function.__module__.startswith('mmengine'))
    if found and default is not parameter.empty and not fits(default, _union(found)):
        found = found | _plain_types(type(default))
    return _union(found) if found else Any


def _widened(found: set, exact: bool) -> set:
    numbers = {int, float} & found
    if exact:
        return found | {float} if numbers else found
    if found == {bool}:
        return found
    tuples = {one for one in found if get_origin(one) is tuple}
    pairs = {tuple[(float,) * len(get_args(one))] for one in tuples}  # type: ignore[misc]
    lists = tuples or list in found
    wider = {float} if (numbers or lists) and dict not in found else set()
    return (
        found - tuples | pairs | wider | {NoneType} | ({list} if numbers and not lists else set())
    )


def _union(found: set) -> Any:
    found = found - {int} if float in found else found
    return Union[tuple(sorted(found, key=_place))]  # noqa: UP007


def _place(hint: Any) -> int:
    return _ORDER.index(get_origin(hint) or hint)


def _plain_types(hint: Any) -> set:
    """Get the plain types of a type; none if it may be anything."""
    origin, parts = get_origin(hint), get_args(hint)
    kind = origin or hint
    if origin in (Union, UnionType, Literal):
        found = [_plain_types(type(one) if origin is Literal else one) for one in parts]
        known = all(found[index] or one is Tensor for index, one in enumerate(parts))
        return set().union(*found) if known else set()
    if hint in (None, NoneType):
        return {NoneType}
    if not isclass(kind) or kind in (object, Tensor):
        return set()
    if issubclass(kind, tuple) and len(parts) > 1 and all(map(_plain_types, parts)):
        items = tuple(_union(_plain_types(one)) for one in parts)
        return {tuple[items]}  # type: ignore[valid-type]
    plain = [one for one, kinds in _KINDS.items() if issubclass(kind, kinds)]
    # an object is built from a dict; what is called one may also be a list of them
    return {dict, list} if issubclass(kind, Mapping) or not plain else {plain[0]}


_KINDS: dict[type, Any] = {
    bool: bool,
    int: int,
    float: Number,
    str: (str, os.PathLike),
    list: Iterable,
}
