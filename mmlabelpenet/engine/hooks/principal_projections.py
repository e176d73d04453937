"""Starting the projections of backbone maps at their principal components."""

from itertools import islice
from typing import Any

import torch
from mmengine.dist import all_reduce, broadcast, get_world_size
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import Tensor, nn

from mmlabelpenet.models import LevelFusion
from mmlabelpenet.models.calibration.attention import valid_cells
from mmlabelpenet.registry import HOOKS


@HOOKS.register_module()
class PrincipalProjectionHook(Hook):
    """Starts every :class:`LevelFusion` at the principal components of the backbone's maps.

    A random projection of maps that are not negative gives little but their mean, and heads
    behind it learn slowly. The components come from the first photos of the training, without
    any label. A run that begins with the weights of a checkpoint keeps those.

    Args:
        num_photos: Photos that are looked at, over all processes; 0 leaves the projections random.
    """

    def __init__(self, num_photos: int = 64) -> None:
        self.num_photos = num_photos

    def before_train(self, runner: Runner) -> None:
        """Look at photos and set the projections."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        fusions = [module for module in model.modules() if isinstance(module, LevelFusion)]
        fusions = [fusion for fusion in fusions if len(fusion.projections) > 0]
        loaded = runner.iter > 0 or runner.cfg.get('load_from')
        if loaded or not fusions or self.num_photos == 0:
            return
        strides = {
            level: stride
            for fusion in fusions
            for level, stride in zip(fusion.levels, fusion.level_strides)
        }
        moments = self._moments(runner, model, strides)
        for fusion in fusions:
            fusion.start_from([moments[level] for level in fusion.levels])
        runner.logger.info(f'{len(fusions)} projections start at principal components')

    @torch.no_grad()
    def _moments(
        self, runner: Runner, model: nn.Module, strides: dict[int, int]
    ) -> dict[int, tuple[Tensor, Tensor]]:
        """Mean [c] and covariance [c, c] of the cells of each level."""
        was_training = model.training
        model.eval()
        sums: dict[int, list[Tensor]] = {}
        loader = runner.train_dataloader
        batches = -(-self.num_photos // ((_batch_size(loader) or 1) * get_world_size()))
        for batch in islice(loader, batches):
            data = model.data_preprocessor(batch, False)
            shapes = [sample.img_shape for sample in data['data_samples']]
            feats = model.extract_feat(data['inputs'], shapes)
            for level, stride in strides.items():
                for one, shape in zip(feats[level], shapes):
                    rows, columns = valid_cells(shape, stride)
                    cells = one[:, :rows, :columns].flatten(1).double()
                    count = cells.new_tensor([cells.shape[1]])
                    found = [count, cells.sum(1), cells @ cells.t()]
                    known = sums.get(level, [torch.zeros_like(part) for part in found])
                    sums[level] = [part + new for part, new in zip(known, found)]
        model.train(was_training)
        moments = {}
        for level, parts in sums.items():
            for part in parts:
                all_reduce(part)
            count, total, square = parts
            mean = total / count
            covariance = square / count - mean[:, None] * mean[None]
            broadcast(mean)
            broadcast(covariance)
            moments[level] = (mean, covariance)
        return moments


def _batch_size(loader: Any) -> int | None:
    return loader.batch_size or getattr(loader.batch_sampler, 'batch_size', None)
