"""Choosing elements by conditions that only the device knows, at one wait for it."""

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor


def kept_indices(conditions: Iterable[Tensor]) -> list[Tensor]:
    """Places where conditions hold, of any number of tensors at once.

    Indexing by a condition waits for the device, each time and for each tensor: how many elements
    it keeps decides the size of the result. Here all conditions travel to the host together, and
    the places back to the device without a wait.

    Args:
        conditions: Bool tensors of any shape, on one device.

    Returns:
        For each tensor the places [K_i], rising, within its flattened elements.
    """
    flat = [one.flatten() for one in conditions]
    if not flat:
        return []
    held = torch.cat(flat).cpu().numpy()
    parts = np.split(held, np.cumsum([len(one) for one in flat])[:-1])
    places = [torch.from_numpy(np.flatnonzero(part)) for part in parts]
    return list(
        torch.cat(places).to(flat[0].device, non_blocking=True).split([len(p) for p in places])
    )
