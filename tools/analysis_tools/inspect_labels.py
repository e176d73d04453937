"""Write a page to look through the labels of a checkpoint, the most doubtful images first.

The page needs no server. It shows how the labels of each image come about, with their scores and
weights and, where there is ground truth, with the kinds of errors.

Example:
    python tools/analysis_tools/inspect_labels.py CONFIG CHECKPOINT --out work_dirs/labels
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from mmengine.config import Config
from torch.utils.data import DataLoader

from mmlabelpenet.apis import (
    PROPOSALS,
    PROPOSALS_HELP,
    choose_proposals,
    config_parser,
    load_config,
    plain_datasets,
    run_command,
)
from mmlabelpenet.apis.exporting import SPLITS, split_loader
from mmlabelpenet.apis.pipeline import choose_stage, test_pipeline_of
from mmlabelpenet.apis.testing import load_runner
from mmlabelpenet.engine.hooks.label_curve import spread_loader
from mmlabelpenet.evaluation import ErrorTaxonomyMetric
from mmlabelpenet.inspection import InspectionReport, judge_labels, places_of
from mmlabelpenet.models import LabelPEnet
from mmlabelpenet.utils import (
    UniqueNames,
    UserError,
    image_name,
    number,
    progress_bar,
    read_image,
    require_writable,
    say,
    trust_files,
    unwrap_model,
)
from mmlabelpenet.visualization import Style, ground_truth_of, paint_panels


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = config_parser('Write a page to look through labels', checkpoint=True)
    parser.add_argument('--out', required=True, help='folder for the page and its pictures')
    parser.add_argument(
        '--split',
        default='train',
        choices=[name for name in SPLITS if name != 'corloc'],
        help='photos to show (train: with the ground truth of the corloc_dataloader if there is '
        'one)',
    )
    parser.add_argument(
        '--max-images',
        type=number(int, 1),
        help='maximum number of photos, evenly spread over the list (default: all)',
    )
    parser.add_argument('--proposals', choices=PROPOSALS, help=PROPOSALS_HELP)
    parser.add_argument(
        '--score-thr', type=number(float, 0, 1), default=0.3, help='minimum score of a result'
    )
    parser.add_argument(
        '--width', type=number(int, 64, 2000), default=320, help='of each picture in pixels'
    )
    return parser.parse_args(argv)


def loader_of(cfg: Config, split: str) -> dict:
    """Config of a loader of a split: with ground truth where the config loads it.

    Args:
        cfg: The whole config.
        split: ``'train'``, ``'val'`` or ``'test'``.
    """
    split = 'corloc' if split == 'train' and cfg.get('corloc_dataloader') else split
    pipeline = test_pipeline_of(cfg)
    if split != 'train' and cfg.get(f'{split}_dataloader'):
        pipeline = plain_datasets(cfg[f'{split}_dataloader'].dataset)[0].pipeline
    return split_loader(cfg, split, pipeline)


@torch.no_grad()
def inspect(
    model: LabelPEnet, loader: DataLoader, out: str, width: int, score_thr: float
) -> InspectionReport:
    """Predict images and write their pictures.

    Args:
        model: In evaluation mode.
        loader: Of a subset of a data set.
        out: Folder to write to.
        width: Of each picture in pixels.
        score_thr: Minimum score of a result.
    """
    meta = loader.dataset.dataset.metainfo
    style = Style(meta['classes'], meta.get('palette'), width, score_thr)
    report, names, metric = InspectionReport(out, style), UniqueNames(), ErrorTaxonomyMetric()
    metric.dataset_meta = meta
    with progress_bar('inspect', len(loader)) as bar:
        for data in loader:
            for sample, evidence in zip(model.read(data), model.explain(data)):
                result = sample.pred_instances
                image = read_image(sample.img_path)[..., ::-1]
                panels = paint_panels(image, result, style, evidence, ground_truth_of(sample))
                labels = judge_labels(sample.cpu(), places_of(evidence, result, score_thr), metric)
                name = image_name(sample)
                name = names(name, sample.img_path, sample.get('dataset_name'))
                report.add(name, panels, labels)
            bar.update()
    return report


def main(argv: Sequence[str] | None = None) -> None:
    """Inspect labels.

    Args:
        argv: Arguments of the command line without the program; None reads ``sys.argv``.

    Raises:
        UserError: On bad input.
    """
    args = parse_args(argv)
    require_writable(args.out, folder=True)
    with trust_files(args.trust_checkpoint):
        cfg = load_config(args)
        if choose_stage(cfg, None) is None:
            raise UserError('The model of this config has no cascade, whose labels are shown.')
        choose_proposals(cfg, args.proposals)
        cfg.test_dataloader = loader_of(cfg, args.split)
        cfg.test_evaluator, cfg.test_cfg = dict(type='ErrorTaxonomyMetric'), dict(type='TestLoop')
        model = unwrap_model(load_runner(cfg, args.checkpoint).model).eval()
    loader = spread_loader(cfg.test_dataloader, args.max_images)
    report = inspect(model, loader, args.out, args.width, args.score_thr)
    source = dict(
        config=Path(args.config).name, checkpoint=Path(args.checkpoint).name, split=args.split
    )
    page = report.write('Labels on their way', source)
    say(f'{len(report.images)} photos are in {page}.')


if __name__ == '__main__':
    run_command(main)
