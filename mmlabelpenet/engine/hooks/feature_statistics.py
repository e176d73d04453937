"""What the first images say of the backbone's maps, before anything learns from them."""

from dataclasses import dataclass
from itertools import islice
from typing import Any

import torch
from mmengine.dist import all_reduce, broadcast, get_world_size
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor, nn

from mmlabelpenet.models import CAMAttention, LevelFusion
from mmlabelpenet.registry import HOOKS
from mmlabelpenet.structures import grid_size
from mmlabelpenet.utils import in_evaluation, unwrap_model


@dataclass
class Moments:
    """Sums over vectors [n, c]: their number, the vectors and their outer products."""

    count: Tensor
    total: Tensor
    square: Tensor

    @classmethod
    def of(cls, vectors: Tensor) -> 'Moments':
        """Sums of some vectors, in double precision."""
        vectors = vectors.double()
        return cls(vectors.new_tensor([len(vectors)]), vectors.sum(0), vectors.t() @ vectors)

    def __add__(self, other: 'Moments') -> 'Moments':
        """Sums over the vectors of both."""
        parts = (self.count, other.count), (self.total, other.total), (self.square, other.square)
        return Moments(*(one + more for one, more in parts))

    def gather(self) -> tuple[Tensor, Tensor]:
        """Mean [c] and covariance [c, c] over all processes, the same in each."""
        for part in (self.count, self.total, self.square):
            all_reduce(part)
        mean = self.total / self.count
        covariance = self.square / self.count - mean[:, None] * mean[None]
        broadcast(mean)
        broadcast(covariance)
        return mean, covariance


@HOOKS.register_module()
class FeatureStatisticsHook(Hook):
    """Starts projections and classifiers from what the backbone's maps are like.

    Every :class:`LevelFusion` starts at their principal components: a random projection of maps
    that are not negative gives little but their mean, and heads behind it learn slowly. A
    :class:`CAMAttention` that standardises is told how much each channel's mean differs between
    images. All comes from the first images of the training, without any label. A run that
    begins with the weights of a checkpoint keeps those.

    Args:
        num_images: Images that are looked at, over all processes; 0 leaves the projections random.
    """

    def __init__(self, num_images: int = 64) -> None:
        self.num_images = num_images

    def before_train(self, runner: Runner) -> None:
        """Look at images and set what starts from them."""
        model = unwrap_model(runner.model)
        modules = list(model.modules())
        fusions = [one for one in modules if isinstance(one, LevelFusion) and one.projections]
        sources = [one for one in modules if isinstance(one, CAMAttention) and one.standardise]
        loaded = runner.iter > 0 or runner.cfg.get('load_from')
        if loaded or not (fusions or sources) or self.num_images == 0:
            return
        readers: list[LevelFusion | CAMAttention] = [*fusions, *sources]
        strides = {
            level: stride
            for part in readers
            for level, stride in zip(part.levels, part.level_strides)
        }
        cells, images = self._moments(runner, model, strides)
        for fusion in fusions:
            fusion.init_from_moments([cells[level] for level in fusion.levels])
        for source in sources:
            source.set_spreads([images[level][1].diag().sqrt() for level in source.levels])
        runner.logger.info(
            f'{len(fusions)} projections start at principal components, '
            f'{len(sources)} classifiers standardise'
        )

    @torch.no_grad()
    def _moments(
        self, runner: Runner, model: nn.Module, strides: dict[int, int]
    ) -> tuple[dict[int, tuple[Tensor, Tensor]], dict[int, tuple[Tensor, Tensor]]]:
        """Mean [c] and covariance [c, c] of each level: of cells, and of images' means."""
        sums: dict[str, dict[int, Moments]] = {'cells': {}, 'images': {}}
        loader = runner.train_dataloader
        batches = -(-self.num_images // ((_batch_size(loader) or 1) * get_world_size()))
        with in_evaluation(model):
            for batch in islice(loader, batches):
                data = model.data_preprocessor(batch, False)
                shapes = [sample.img_shape for sample in data['data_samples']]
                feats = model.extract_feat(data['inputs'], shapes)
                for level, stride in strides.items():
                    for one, shape in zip(feats[level], shapes):
                        rows, columns = grid_size(shape, stride)
                        vectors = one[:, :rows, :columns].flatten(1).t()
                        _add(sums['cells'], level, vectors)
                        _add(sums['images'], level, vectors.mean(0, keepdim=True))
        cells, images = (
            {level: one.gather() for level, one in part.items()} for part in sums.values()
        )
        return cells, images


def _add(sums: dict[int, Moments], level: int, vectors: Tensor) -> None:
    found = Moments.of(vectors)
    sums[level] = sums[level] + found if level in sums else found


def _batch_size(loader: Any) -> int | None:
    return loader.batch_size or getattr(loader.batch_sampler, 'batch_size', None)
