"""Registries of scope ``mmlabelpenet``, each a child of mmdet's of the same name.

A child finds its own modules first and falls back to its parents, so that a config
with ``default_scope='mmlabelpenet'`` mixes ``LabelPEnet`` with mmdet's ``Resize`` freely.
Registries without modules of ours exist too: without them mmengine warns at every fallback.
"""

from mmdet import registry as mmdet_registry
from mmengine.registry import FUNCTIONS as MMENGINE_FUNCTIONS
from mmengine.registry import Registry

SCOPE = 'mmlabelpenet'


def _child(parent: Registry, location: str) -> Registry:
    return Registry(parent.name, parent=parent, scope=SCOPE, locations=[f'{SCOPE}.{location}'])


DATASETS = _child(mmdet_registry.DATASETS, 'datasets')
DATA_SAMPLERS = _child(mmdet_registry.DATA_SAMPLERS, 'datasets')
EVALUATOR = _child(mmdet_registry.EVALUATOR, 'evaluation')
FUNCTIONS = _child(MMENGINE_FUNCTIONS, 'datasets')
HOOKS = _child(mmdet_registry.HOOKS, 'engine')
LOG_PROCESSORS = _child(mmdet_registry.LOG_PROCESSORS, 'engine')
LOOPS = _child(mmdet_registry.LOOPS, 'engine')
METRICS = _child(mmdet_registry.METRICS, 'evaluation')
MODEL_WRAPPERS = _child(mmdet_registry.MODEL_WRAPPERS, 'models')
MODELS = _child(mmdet_registry.MODELS, 'models')
OPTIMIZERS = _child(mmdet_registry.OPTIMIZERS, 'engine')
OPTIM_WRAPPERS = _child(mmdet_registry.OPTIM_WRAPPERS, 'engine')
OPTIM_WRAPPER_CONSTRUCTORS = _child(mmdet_registry.OPTIM_WRAPPER_CONSTRUCTORS, 'engine')
PARAM_SCHEDULERS = _child(mmdet_registry.PARAM_SCHEDULERS, 'engine')
RUNNERS = _child(mmdet_registry.RUNNERS, 'engine')
RUNNER_CONSTRUCTORS = _child(mmdet_registry.RUNNER_CONSTRUCTORS, 'engine')
TASK_UTILS = _child(mmdet_registry.TASK_UTILS, 'models')
TRANSFORMS = _child(mmdet_registry.TRANSFORMS, 'datasets')
VISBACKENDS = _child(mmdet_registry.VISBACKENDS, 'visualization')
VISUALIZERS = _child(mmdet_registry.VISUALIZERS, 'visualization')
WEIGHT_INITIALIZERS = _child(mmdet_registry.WEIGHT_INITIALIZERS, 'models')
