"""Tags that a trained model doubts."""

from dataclasses import dataclass

import torch
from mmengine.config import Config

from mmlabelpenet.models import LabelPEnet
from mmlabelpenet.utils import UserError, progress_bar, unwrap_model

from .exporting import split_loader
from .pipeline import test_pipeline_of
from .testing import load_runner


@dataclass
class Doubt:
    """A tag of an image that the model takes for wrong, or for missing.

    Attributes:
        doubt: .5 to 1: probability of the model's classifier that the tag is wrong.
        img_id: Name of the image in its data set.
        tag: The class.
        tagged: Whether the image has the tag.
    """

    doubt: float
    img_id: str
    tag: str
    tagged: bool


def doubted_tags(cfg: Config, checkpoint: str) -> list[Doubt]:
    """Compare the tags of all training images with the classifier of module 1.

    Args:
        cfg: The whole config, with ``work_dir`` and ``launcher``; changed in place.
        checkpoint: File of the weights, of a training on these tags.

    Returns:
        What the classifier takes for wrong or missing, most doubtful first. Tags that are unknown
        are left out.

    Raises:
        UserError: If the checkpoint is missing or does not fit, or is of another kind of model.
    """
    cfg.test_dataloader = split_loader(cfg, 'train', test_pipeline_of(cfg))
    cfg.test_evaluator, cfg.test_cfg = [], dict(type='TestLoop')
    runner = load_runner(cfg, checkpoint)
    model = unwrap_model(runner.model).eval()
    if not isinstance(model, LabelPEnet):
        raise UserError(f'{cfg.filename} has no LabelPEnet, whose classifier could doubt tags.')
    loader = runner.build_dataloader(cfg.test_dataloader)
    classes, found = loader.dataset.metainfo['classes'], []
    with progress_bar('tags', len(loader)) as bar:
        for data in loader:
            evidence = model.read_evidence(data, tagged=False)
            [scores], [sample] = model.cascade.image_scores(evidence).cpu(), data['data_samples']
            doubts = torch.where(sample.tags > 0.5, 1 - scores, scores)
            wrong = (doubts >= 0.5) & (sample.ignored_tags < 0.5)
            found += [
                Doubt(doubts[i].item(), sample.img_id, classes[i], sample.tags[i].item() > 0.5)
                for i in wrong.nonzero()[:, 0].tolist()
            ]
            bar.update()
    return sorted(found, key=lambda one: -one.doubt)
