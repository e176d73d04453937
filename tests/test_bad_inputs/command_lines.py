"""Command lines of all tools: missing and wrong arguments, numbers out of range."""

from pathlib import Path

from .configs import SHAPES
from .table import REPOSITORY, BadInput, run_tool

CONFIG = str(REPOSITORY / SHAPES)


def line(name: str, tool: str, *args: object, sentence: str) -> BadInput:
    """A row: a tool's command line; ``{root}`` stands for the row's folder."""

    def run(root: Path) -> None:
        run_tool(tool, *(str(arg).replace('{root}', str(root)) for arg in args))

    return BadInput(name, run, sentence)


TEST = ('test', CONFIG, 'gone.pth')
EXPORT = ('export_pseudo_labels', CONFIG, 'gone.pth', '--out', 'out')
DEMO = ('../demo/image_demo', 'a.jpg', CONFIG, '--weights', 'gone.pth')
ROWS = [
    line('train: no config', 'train', sentence='the following arguments are required: config'),
    line(
        'train: an unknown option',
        'train',
        CONFIG,
        '--epochs',
        '3',
        sentence='unrecognized arguments: --epochs 3',
    ),
    line(
        'train: a seed that is text',
        'train',
        CONFIG,
        '--seed',
        'abc',
        sentence="argument --seed: must be a whole number from 0 to 4294967295, not 'abc'",
    ),
    line(
        'train: a negative seed',
        'train',
        CONFIG,
        '--seed',
        '-1',
        sentence="argument --seed: must be a whole number from 0 to 4294967295, not '-1'",
    ),
    line(
        'train: an unknown launcher',
        'train',
        CONFIG,
        '--launcher',
        'torch',
        sentence="argument --launcher: invalid choice: 'torch' (choose from 'none', 'pytorch',"
        " 'slurm', 'mpi')",
    ),
    line(
        'train: an override without =',
        'train',
        CONFIG,
        '--cfg-options',
        'data_root',
        sentence="--cfg-options takes key=value, not 'data_root'.",
    ),
    line(
        'train: an override with open brackets',
        'train',
        CONFIG,
        '--cfg-options',
        'scale=(1,2',
        sentence="--cfg-options scale: brackets do not match in '(1,2'.",
    ),
    line(
        'train: a checkpoint that does not exist',
        'train',
        CONFIG,
        '--resume',
        'gone.pth',
        sentence='There is no checkpoint gone.pth; train first, or fix the path.',
    ),
    line(
        'test: no checkpoint',
        'test',
        CONFIG,
        sentence='the following arguments are required: checkpoint',
    ),
    line(
        'test: a checkpoint that does not exist',
        *TEST,
        sentence='There is no checkpoint gone.pth; train first, or fix the path.',
    ),
    line(
        'test: an unknown metric',
        *TEST,
        '--eval',
        'bbx',
        sentence="--eval does not know 'bbx'; it knows bbox, segm, corloc, semseg, proposal, "
        'image, pseudo, errors, coco.',
    ),
    line(
        'test: an unknown split',
        *TEST,
        '--split',
        'val',
        sentence="argument --split: invalid choice: 'val' (choose from 'train', 'test')",
    ),
    line(
        'test: an unknown stage',
        *TEST,
        '--stage',
        'segmentaton',
        sentence="The model of this config has no stage 'segmentaton'; it has classification, "
        'detection, refinement, segmentation, attention, calibration.',
    ),
    line(
        'test: predictions of a wrong suffix',
        *TEST,
        '--out',
        'found.json',
        sentence='--out found.json must end with .pkl or .pickle.',
    ),
    line(
        'test: a wait that is no number',
        *TEST,
        '--wait-time',
        'nan',
        sentence="argument --wait-time: must be a number of at least 0, not 'nan'",
    ),
    line(
        'test: scales that the config lacks',
        *TEST,
        '--tta',
        sentence='--tta needs tta_model and tta_pipeline in the config, as those of the full '
        'VOC in configs/label_penet have them.',
    ),
    line(
        'export: no folder',
        'export_pseudo_labels',
        CONFIG,
        'gone.pth',
        sentence='the following arguments are required: --out',
    ),
    line(
        'export: an unknown format',
        *EXPORT,
        '--format',
        'pascal',
        sentence="argument --format: invalid choice: 'pascal' (choose from 'coco', 'voc', 'yolo')",
    ),
    line(
        'export: an unknown stage',
        *EXPORT,
        '--stage',
        'masks',
        sentence="The model of this config has no stage 'masks'; it has classification, "
        'detection, refinement, segmentation, attention, calibration.',
    ),
    line(
        'export: a score that is no number',
        *EXPORT,
        '--score-thr',
        'nan',
        sentence="argument --score-thr: must be a number from 0 to 1, not 'nan'",
    ),
    line(
        'export: a score in percent',
        *EXPORT,
        '--score-thr',
        '30',
        sentence="argument --score-thr: must be a number from 0 to 1, not '30'",
    ),
    line(
        'export: no instance of a class',
        *EXPORT,
        '--max-per-class',
        '0',
        sentence="argument --max-per-class: must be a whole number of at least 1, not '0'",
    ),
    line(
        'export: a negative area',
        *EXPORT,
        '--min-area',
        '-1',
        sentence="argument --min-area: must be a number of at least 0, not '-1'",
    ),
    line(
        'ground truth: an unknown split',
        'dataset_converters/export_ground_truth',
        CONFIG,
        '--out',
        'out',
        '--split',
        'all',
        sentence="argument --split: invalid choice: 'all' (choose from 'train', 'val', 'test',"
        " 'corloc')",
    ),
    line(
        'demo: no weights',
        '../demo/image_demo',
        'a.jpg',
        CONFIG,
        sentence='the following arguments are required: --weights',
    ),
    line(
        'test: an unknown source of proposals',
        *TEST,
        '--proposals',
        'made',
        sentence="argument --proposals: invalid choice: 'made' (choose from 'learned', 'stored', "
        "'search')",
    ),
    line(
        'test: learned proposals of a model without any',
        *TEST,
        '--proposals',
        'learned',
        sentence='This model has learned no proposals: choose stored or search, or train a model '
        'that learns them, such as '
        'configs/label_penet/label-penet-rpn_effnet-lite0_voc12-mini.py.',
    ),
    line(
        'export: learned proposals of a model without any',
        *EXPORT,
        '--proposals',
        'learned',
        sentence='This model has learned no proposals: choose stored or search, or train a model '
        'that learns them, such as '
        'configs/label_penet/label-penet-rpn_effnet-lite0_voc12-mini.py.',
    ),
    line(
        'demo: batches of no photo',
        *DEMO,
        '--batch-size',
        '-3',
        sentence="argument --batch-size: must be a whole number of at least 1, not '-3'",
    ),
    line(
        'demo: a score that is no number',
        *DEMO,
        '--pred-score-thr',
        'nan',
        sentence="argument --pred-score-thr: must be a number from 0 to 1, not 'nan'",
    ),
    line(
        'demo: an unknown quality',
        *DEMO,
        '--quality',
        'best',
        sentence="argument --quality: invalid choice: 'best' (choose from 'fast', 'quality')",
    ),
    line(
        'proposals: no such folder',
        'proposals/make_proposals',
        'gone',
        sentence='There is no config and no folder at gone: check the path.',
    ),
    line(
        'proposals: no worker',
        'proposals/make_proposals',
        CONFIG,
        '--workers',
        '0',
        sentence='--workers, --max-num and --max-side must be at least 1.',
    ),
    line(
        'proposals: no box',
        'proposals/make_proposals',
        CONFIG,
        '--max-num',
        '0',
        sentence='--workers, --max-num and --max-side must be at least 1.',
    ),
    line(
        'proposals: an unknown split',
        'proposals/make_proposals',
        CONFIG,
        '--split',
        'training',
        sentence="argument --split: invalid choice: 'training' (choose from 'train', 'val', "
        "'test')",
    ),
    line(
        'import of proposals: an unknown format',
        'proposals/import_proposals',
        CONFIG,
        'a.mat',
        '--format',
        'edge_boxes',
        sentence="argument --format: invalid choice: 'edge_boxes' (choose from "
        "'selective_search', 'mcg', 'mmdet', 'detectron')",
    ),
    line(
        'check of proposals: a negative number of lines',
        'proposals/check_proposals',
        CONFIG,
        '--max-lines',
        '-1',
        sentence="argument --max-lines: must be a whole number of at least 0, not '-1'",
    ),
    line(
        'check of data: no thread',
        'misc/check_dataset',
        CONFIG,
        '--workers',
        '0',
        sentence="argument --workers: must be a whole number of at least 1, not '0'",
    ),
    line(
        'check of data: no config',
        'misc/check_dataset',
        'gone.py',
        sentence='There is no config gone.py; see configs/ for those there are.',
    ),
    line(
        'shapes: no photo',
        'dataset_converters/make_shapes',
        '--num-train',
        '0',
        sentence="argument --num-train: must be a whole number of at least 1, not '0'",
    ),
    line(
        'shapes: the longest side first',
        'dataset_converters/make_shapes',
        '--image-size',
        '96',
        '64',
        sentence='--image-size takes the shortest side first.',
    ),
    line(
        'failures: pictures without width',
        'analysis_tools/paint_failures',
        CONFIG,
        'gone.pth',
        '--width',
        '0',
        sentence="argument --width: must be a whole number from 8 to 10000, not '0'",
    ),
    line(
        'measures: predictions that do not exist',
        'analysis_tools/eval_metric',
        CONFIG,
        'gone.pkl',
        sentence='There is no data set at data/shapes/Shapes: run `python '
        'tools/dataset_converters/make_shapes.py --out data/shapes/Shapes`.',
    ),
    line(
        'processes: none',
        'misc/launch',
        '0',
        'tools/train.py',
        CONFIG,
        sentence='PROCESSES must be at least 1, not 0.',
    ),
    line(
        'processes: text',
        'misc/launch',
        'two',
        'tools/train.py',
        CONFIG,
        sentence="argument processes: invalid int value: 'two'",
    ),
]
