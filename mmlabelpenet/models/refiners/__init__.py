"""Refiners: maps follow the features or the colours of their image."""

from .base import Refiner, build_refiners, refine
from .dense_crf import DenseCRF
from .pixel_affinity import PixelAffinity, colour_affinity, neighbours
from .random_walk import RandomWalk, feature_affinity
