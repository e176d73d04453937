"""Data-dependent initialisation from feature statistics."""

from collections import defaultdict
from collections.abc import Sequence
from itertools import islice, product
from operator import add

import torch
from mmengine.dist import all_reduce, broadcast, get_world_size
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor, nn

from mmlabelpenet.models import CAMAttention, LevelFusion
from mmlabelpenet.registry import HOOKS
from mmlabelpenet.structures import grid_size
from mmlabelpenet.utils import in_evaluation, unwrap_model


def moments_of(vectors: Tensor) -> list[Tensor]:
    """Number, sum and sum of outer products of vectors [n, c], in double precision."""
    vectors = vectors.double()
    return [vectors.new_tensor([len(vectors)]), vectors.sum(0), vectors.t() @ vectors]


def gather_moments(sums: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Mean [c] and covariance [c, c] over all processes, the same in each."""
    for part in sums:
        all_reduce(part)
    count, total, square = sums
    mean = total / count
    covariance = square / count - mean[:, None] * mean[None]
    for part in (mean, covariance):
        broadcast(part)
    return mean, covariance


@HOOKS.register_module()
class FeatureStatisticsHook(Hook):
    """Initialises projections and classifiers from statistics of the backbone's maps.

    Every :class:`LevelFusion` starts at their principal components: a random projection of
    non-negative maps gives little but their mean, and heads behind it learn slowly. A
    :class:`CAMAttention` that standardises gets the standard deviation of each channel's mean over
    images. The statistics come from the first images of the training, without any label. A run
    that begins with the weights of a checkpoint keeps those.

    Args:
        num_images: Number of images, over all processes; 0 leaves the projections random.
    """

    def __init__(self, num_images: int = 64) -> None:
        self.num_images = num_images

    def before_train(self, runner: Runner) -> None:
        """Compute the statistics and initialise."""
        model = unwrap_model(runner.model)
        fusions = [m for m in model.modules() if isinstance(m, LevelFusion) and m.projections]
        sources = [m for m in model.modules() if isinstance(m, CAMAttention) and m.standardise]
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
    ) -> list[dict[int, tuple[Tensor, Tensor]]]:
        """Mean [c] and covariance [c, c] of each level, of cells and of images' means."""
        sums: dict[tuple[str, int], list] = defaultdict(lambda: [0, 0, 0])
        loader = runner.train_dataloader
        size = loader.batch_size or getattr(loader.batch_sampler, 'batch_size', None) or 1
        batches = min(-(-self.num_images // (size * get_world_size())), len(loader))
        with in_evaluation(model):
            for index, batch in enumerate(islice(loader, batches), start=1):
                text = f'feature statistics {index}/{batches}'
                runner.call_hook('report_progress', text=text)
                data = model.data_preprocessor(batch, False)
                shapes = [sample.img_shape for sample in data['data_samples']]
                feats = model.extract_feat(data['inputs'], shapes)
                for (level, stride), (index, shape) in product(strides.items(), enumerate(shapes)):
                    rows, columns = grid_size(shape, stride)
                    vectors = feats[level][index, :, :rows, :columns].flatten(1).t()
                    for kind, part in (('cells', vectors), ('images', vectors.mean(0)[None])):
                        key = kind, level
                        sums[key] = list(map(add, sums[key], moments_of(part)))
        gathered = {key: gather_moments(part) for key, part in sorted(sums.items())}
        return [
            {level: gathered[kind, level] for level in strides} for kind in ('cells', 'images')
        ]
