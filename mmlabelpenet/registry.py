"""Registries of scope ``mmlabelpenet``, each a child of mmdet's of the same name.

A child finds its own modules first and falls back to its parents, so that a config
with ``default_scope='mmlabelpenet'`` mixes ``LabelPEnet`` with mmdet's ``Resize`` freely.
"""

from mmdet.registry import DATASETS as MMDET_DATASETS
from mmdet.registry import HOOKS as MMDET_HOOKS
from mmdet.registry import LOOPS as MMDET_LOOPS
from mmdet.registry import METRICS as MMDET_METRICS
from mmdet.registry import MODELS as MMDET_MODELS
from mmdet.registry import OPTIM_WRAPPER_CONSTRUCTORS as MMDET_OPTIM_WRAPPER_CONSTRUCTORS
from mmdet.registry import TASK_UTILS as MMDET_TASK_UTILS
from mmdet.registry import TRANSFORMS as MMDET_TRANSFORMS
from mmdet.registry import VISUALIZERS as MMDET_VISUALIZERS
from mmengine.registry import Registry

SCOPE = 'mmlabelpenet'


def _child(parent: Registry, location: str) -> Registry:
    return Registry(
        parent.name, parent=parent, scope=SCOPE, locations=[f'{SCOPE}.{location}']
    )


DATASETS = _child(MMDET_DATASETS, 'datasets')
HOOKS = _child(MMDET_HOOKS, 'engine')
LOOPS = _child(MMDET_LOOPS, 'engine')
METRICS = _child(MMDET_METRICS, 'evaluation')
MODELS = _child(MMDET_MODELS, 'models')
OPTIM_WRAPPER_CONSTRUCTORS = _child(MMDET_OPTIM_WRAPPER_CONSTRUCTORS, 'engine')
TASK_UTILS = _child(MMDET_TASK_UTILS, 'models')
TRANSFORMS = _child(MMDET_TRANSFORMS, 'datasets')
VISUALIZERS = _child(MMDET_VISUALIZERS, 'visualization')
