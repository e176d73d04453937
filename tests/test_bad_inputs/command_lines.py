"""Command lines of all tools: missing and wrong arguments, numbers out of range."""

from pathlib import Path
from unittest import mock

from PIL import Image

from .configs import SHAPES
from .table import REPOSITORY, BadInput, run_tool

CONFIG = str(REPOSITORY / SHAPES)


def line(name: str, tool: str, *args: object, sentence: str) -> BadInput:
    """A row: a tool's command line; ``{root}`` stands for the row's folder."""

    def run(root: Path) -> None:
        # sentences that list devices are the same on a machine with a GPU
        with mock.patch('torch.cuda.device_count', return_value=0):
            run_tool(tool, *(str(arg).replace('{root}', str(root)) for arg in args))

    return BadInput(name, run, sentence)


def in_environment(name: str, variables: dict[str, str], sentence: str, *args: str) -> BadInput:
    """A row: a test with these environment variables."""

    def run(root: Path) -> None:
        with mock.patch.dict('os.environ', variables):
            run_tool('test', CONFIG, 'gone.pth', *args)

    return BadInput(name, run, sentence)


def of_photos(
    name: str, *args: str, sentence: str, tool: str = 'proposals/make_proposals'
) -> BadInput:
    """A row: a command line in a folder of a photo and a page that was saved as one."""

    def run(root: Path) -> None:
        for folder in ('photos', 'pages'):
            (root / folder).mkdir()
        Image.new('RGB', (40, 30)).save(root / 'photos/a.jpg')
        for page in ('page.html', 'pages/a.jpg'):
            (root / page).write_text('<!DOCTYPE html><html><body>404</body></html>')
        run_tool(tool, *(arg.replace('{root}', str(root)) for arg in args))

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
        sentence="argument --format: invalid choice: 'pascal' (choose from 'coco', 'voc', 'yolo', "
        "'label-studio')",
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
        sentence=f'The inferencer needs weights of {{repo}}/{SHAPES}: name a checkpoint, or '
        'instead of the config a model whose weights are in demo/weights.',
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
        sentence='--workers and --max-num must be at least 1.',
    ),
    line(
        'proposals: no box',
        'proposals/make_proposals',
        CONFIG,
        '--max-num',
        '0',
        sentence='--workers and --max-num must be at least 1.',
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
        'inspection: no folder for the page',
        'analysis_tools/inspect_labels',
        CONFIG,
        'gone.pth',
        sentence='the following arguments are required: --out',
    ),
    line(
        'inspection: a folder that is a file',
        'analysis_tools/inspect_labels',
        CONFIG,
        'gone.pth',
        '--out',
        CONFIG,
        sentence='{repo}/configs/label_penet/label-penet_effnet-lite0_shapes.py cannot be written '
        '(File exists): free space, get the permission, or choose another path.',
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
    line(
        'proposals: no path',
        'proposals/make_proposals',
        '',
        sentence='an argument is empty: give a value, or leave it out.',
    ),
    line(
        'proposals: no path to write to',
        'proposals/make_proposals',
        CONFIG,
        '--out',
        '',
        sentence='--out is empty: give a value, or leave it out.',
    ),
    line(
        'proposals: an address',
        'proposals/make_proposals',
        'https://example.invalid/photos',
        sentence='https://example.invalid/photos is not on this machine: download the '
        'photos, and name their folder.',
    ),
    line(
        'proposals: sides of a pixel',
        'proposals/make_proposals',
        CONFIG,
        '--max-side',
        '1',
        sentence='--max-side 1 is too small to find objects: take at least 32.',
    ),
    line(
        'proposals: sides of -5 pixels',
        'proposals/make_proposals',
        CONFIG,
        '--max-side',
        '-5',
        sentence='--max-side -5 is too small to find objects: take at least 32.',
    ),
    of_photos(
        'proposals: a single photo',
        '{root}/photos/a.jpg',
        sentence='{root}/photos/a.jpg is a single photo: name its folder {root}/photos, or'
        ' a config.',
    ),
    of_photos(
        'proposals: a split of a folder',
        '{root}/photos',
        '--split',
        'train',
        sentence='--split is for a config, and {root}/photos is a folder of photos: leave '
        'it out, or name the config.',
    ),
    of_photos(
        'proposals: settings for a folder',
        '{root}/photos',
        '--cfg-options',
        'scale=3',
        sentence='--cfg-options is for a config, and {root}/photos is a folder of photos: '
        'leave it out, or name the config.',
    ),
    of_photos(
        'proposals: a file to write to',
        '{root}/photos',
        '--out',
        '{root}/photos/a.jpg',
        sentence='{root}/photos/a.jpg/photos cannot be written (Not a directory): free '
        'space, get the permission, or choose another path.',
    ),
    of_photos(
        'proposals: no place to write to',
        '{root}/photos',
        '--out',
        '/proc/x',
        sentence='/proc/x/photos cannot be written (No such file or directory): free '
        'space, get the permission, or choose another path.',
    ),
    of_photos(
        'proposals: a page',
        '{root}/page.html',
        sentence='{root}/page.html cannot be read as a config, for it is a web page, as '
        'of a login: download the file itself.',
    ),
    of_photos(
        'proposals: pages for photos',
        '{root}/pages',
        sentence='The photo {root}/pages/a.jpg is damaged or no photo (a web page: download the '
        'photo itself): replace it, remove it, or name it in a skip list.',
    ),
    of_photos(
        'shapes: a file to write to',
        '--out',
        '{root}/photos/a.jpg',
        tool='dataset_converters/make_shapes',
        sentence='{root}/photos/a.jpg cannot be written (File exists): free space, get the'
        ' permission, or choose another path.',
    ),
    of_photos(
        'shapes: no place to write to',
        '--out',
        '/proc/x',
        tool='dataset_converters/make_shapes',
        sentence='/proc/x cannot be written (No such file or directory): free space, get '
        'the permission, or choose another path.',
    ),
    line(
        'shapes: no path',
        'dataset_converters/make_shapes',
        '--out',
        '',
        sentence='--out is empty: give a value, or leave it out.',
    ),
    line(
        'import of proposals: no path',
        'proposals/import_proposals',
        CONFIG,
        '',
        '--format',
        'mmdet',
        sentence='an argument is empty: give a value, or leave it out.',
    ),
    line(
        'import of proposals: no box',
        'proposals/import_proposals',
        CONFIG,
        'a.pkl',
        '--format',
        'mmdet',
        '--max-num',
        '0',
        sentence='--max-num must be at least 1.',
    ),
    line(
        'check of proposals: no path',
        'proposals/check_proposals',
        CONFIG,
        '--proposal-root',
        '',
        sentence='--proposal-root is empty: give a value, or leave it out.',
    ),
    line(
        'export: no path to write to',
        'export_pseudo_labels',
        CONFIG,
        'gone.pth',
        '--out',
        '',
        sentence='--out is empty: give a value, or leave it out.',
    ),
    line(
        'measures: no path',
        'analysis_tools/eval_metric',
        CONFIG,
        '',
        sentence='an argument is empty: give a value, or leave it out.',
    ),
    line(
        'processes of a tool that is missing',
        'misc/launch',
        '2',
        'gone.py',
        sentence='There is no tool at gone.py: fix the path.',
    ),
    line(
        'processes without a tool',
        'misc/launch',
        '2',
        sentence='Name the tool behind the number of processes.',
    ),
    line(
        'test: an empty checkpoint',
        'test',
        CONFIG,
        '',
        sentence='an argument is empty: give a value, or leave it out.',
    ),
    line(
        'train: an empty config',
        'train',
        '',
        sentence='an argument is empty: give a value, or leave it out.',
    ),
    line(
        'train: an empty work folder',
        'train',
        CONFIG,
        '--work-dir',
        '',
        sentence='--work-dir is empty: give a value, or leave it out.',
    ),
    line(
        'train: an empty work folder after =',
        'train',
        CONFIG,
        '--work-dir=',
        sentence='--work-dir is empty: give a value, or leave it out.',
    ),
    line(
        'export: an empty folder',
        *EXPORT[:-1],
        '',
        sentence='--out is empty: give a value, or leave it out.',
    ),
    line(
        'train: an option twice',
        'train',
        CONFIG,
        '--work-dir',
        'a',
        '--work-dir',
        'b',
        sentence='--work-dir is given more than once: give it once.',
    ),
    line(
        'test: metrics in two options',
        *TEST,
        '--eval',
        'bbox',
        '--eval',
        'segm',
        sentence='--eval is given more than once: give it once.',
    ),
    line(
        'train: an override twice',
        'train',
        CONFIG,
        '--cfg-options',
        'randomness.seed=1',
        'randomness.seed=2',
        sentence='--cfg-options sets both randomness.seed=1 and randomness.seed=2: give one.',
    ),
    line(
        'train: an override and one of a part of it',
        'train',
        CONFIG,
        '--cfg-options',
        'randomness=None',
        '--cfg-options',
        'randomness.seed=2',
        sentence='--cfg-options sets both randomness=None and randomness.seed=2: give one.',
    ),
    line(
        'train: two work folders',
        'train',
        CONFIG,
        '--work-dir',
        'a',
        '--cfg-options',
        'work_dir=b',
        sentence='--cfg-options work_dir sets what --work-dir sets: give --work-dir alone.',
    ),
    line(
        'train: two checkpoints',
        'train',
        CONFIG,
        '--resume',
        'a.pth',
        '--cfg-options',
        'load_from=b.pth',
        sentence='--cfg-options load_from sets what --resume sets: give --resume alone.',
    ),
    line(
        'train: two seeds',
        'train',
        CONFIG,
        '--seed',
        '0',
        '--cfg-options',
        'randomness.seed=1',
        sentence='--cfg-options randomness.seed sets what --seed sets: give --seed alone.',
    ),
    line(
        'train: a launcher as an override',
        'train',
        CONFIG,
        '--cfg-options',
        'launcher=pytorch',
        sentence='--cfg-options launcher sets what --launcher sets: give --launcher alone.',
    ),
    line(
        'demo: an unknown device',
        *DEMO,
        '--device',
        'gpu',
        sentence="There is no device 'gpu' here: choose one of cpu.",
    ),
    line(
        'demo: a device without values',
        *DEMO,
        '--device',
        'meta',
        sentence="There is no device 'meta' here: choose one of cpu.",
    ),
    line(
        'demo: a folder that cannot be written',
        *DEMO,
        '--out-dir',
        '/proc/x',
        sentence='/proc/x cannot be written (No such file or directory): free space, get the '
        'permission, or choose another path.',
    ),
    line(
        'train: a launcher without its processes',
        'train',
        CONFIG,
        '--launcher',
        'pytorch',
        sentence='--launcher pytorch needs processes that tools/dist_train.sh or torchrun has '
        'started (RANK is not set): start by it, or leave --launcher out.',
    ),
    in_environment(
        'test: one of two processes without a launcher',
        dict(RANK='1', WORLD_SIZE='2'),
        'This is one of 2 processes (WORLD_SIZE), each of which would do the whole work: give '
        '--launcher pytorch, or unset WORLD_SIZE and RANK.',
    ),
    in_environment(
        'test: a rank beyond the number of processes',
        dict(RANK='3', WORLD_SIZE='2'),
        'RANK is 3, but there are 2 processes (WORLD_SIZE), counted from 0: unset both, or start '
        'by tools/dist_train.sh or torchrun.',
    ),
    in_environment(
        'test: a port that is none',
        dict(RANK='0', WORLD_SIZE='1', LOCAL_RANK='0', MASTER_ADDR='127.0.0.1', MASTER_PORT='p'),
        "The environment variable MASTER_PORT is 'p', no port: set a whole number from 1 to "
        '65535, or start by tools/dist_train.sh or torchrun.',
        '--launcher',
        'pytorch',
    ),
    in_environment(
        'test: a rank that is no number',
        dict(LOCAL_RANK='x'),
        "The environment variable LOCAL_RANK is 'x', no whole number: unset it, or start by "
        'tools/dist_train.sh or torchrun.',
    ),
    line(
        'train: data at an address',
        'train',
        CONFIG,
        '--cfg-options',
        'data_root=s3://bucket/y',
        sentence='data_root is the address s3://bucket/y: download the data, and set data_root to '
        'their folder.',
    ),
]
