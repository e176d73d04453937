"""Results, exports and offline evaluation."""

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pycocotools import mask as mask_api

from mmlabelpenet.apis import LabelPEnetInferencer
from mmlabelpenet.datasets import (
    ProvideRegionProposals,
    VOCInstanceDataset,
    read_corrections,
)
from mmlabelpenet.export import LabelledImage, write_coco, write_voc, write_yolo
from mmlabelpenet.proposals import Proposals, proposal_path, write_proposals
from mmlabelpenet.utils import read_image
from mmlabelpenet.visualization import require_display

from .results_sentences import SENTENCES
from .table import REPOSITORY, BadInput, run_tool

CLASSES = ('dog', 'cat')
PHOTOS = ('1.jpg', 'sub/2.jpg')
CONFIG = """
_base_ = {base!r}
pipeline = [dict(type='LoadImageFromFile'),
            dict(type='LoadAnnotations', with_bbox=True),
            dict(type='LoadInstanceMasks'),
            dict(type='PackWeakInputs')]
dataset = dict(_delete_=True, type='COCOInstanceDataset', data_root={root!r}, ann_file='a.json',
               data_prefix=dict(img='photos'), supervision='full', test_mode=True,
               pipeline=pipeline)
model = dict(num_classes=2)
test_dataloader = dict(dataset=dataset)
val_dataloader = dict(dataset=dataset)
corloc_dataloader = None
test_evaluator = dict(_delete_=True, type='VOCDetectionMetric')
work_dir = {root!r} + '/work'
"""
ELLIPSE = json.dumps(
    [
        {
            'data': {'image': '1.jpg'},
            'annotations': [
                {
                    'result': [
                        {
                            'type': 'ellipselabels',
                            'original_width': 8,
                            'original_height': 6,
                            'value': {'ellipselabels': ['dog']},
                        }
                    ]
                }
            ],
        }
    ]
)
SIZELESS = [{'id': number, 'file_name': name} for number, name in enumerate(PHOTOS)]
RUNS = {'size': [6, 8], 'counts': [7, 2, 4, 2, 33]}


def coco(names: tuple[str, ...] = PHOTOS, **fields: Any) -> dict:
    """A COCO file of photos of 8 x 6 pixels, a dog in each."""
    return {
        'images': [
            {'id': number, 'file_name': name, 'height': 6, 'width': 8}
            for number, name in enumerate(names)
        ],
        'annotations': [
            {
                'id': number + 1,
                'image_id': number,
                'category_id': 1,
                'bbox': [1, 1, 2, 2],
                'area': 4,
                'iscrowd': 0,
                'segmentation': RUNS,
                'score': 0.5,
            }
            for number in range(len(names))
        ],
        'categories': [{'id': number + 1, 'name': name} for number, name in enumerate(CLASSES)],
        **fields,
    }


def photos(folder: Path, names: tuple[str, ...] = PHOTOS, grey: int = 0) -> None:
    """Write photos of one colour."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new('RGB', (8, 6), (grey,) * 3).save(folder / name)


def config_of(root: Path, names: tuple[str, ...] = PHOTOS) -> Path:
    """A config of two photos with ground truth, in COCO's format."""
    photos(root / 'photos', names)
    (root / 'a.json').write_text(json.dumps(coco(names)))
    base = REPOSITORY / 'configs/label_penet/label-penet_effnet-lite0_shapes.py'
    path = root / 'c.py'
    path.write_text(CONFIG.format(base=str(base), root=str(root)))
    return path


def measured(
    root: Path, content: Any, *args: object, names: tuple = ('1.jpg', 'sub/2.jpg')
) -> None:
    """Measure predictions: bytes, a list to pickle, or the content of a JSON file."""
    config = config_of(root, names)
    if isinstance(content, bytes | list):
        path = root / 'found.pkl'
        path.write_bytes(content if isinstance(content, bytes) else pickle.dumps(content))
    else:
        path = root / 'found.json'
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    args = args if '--eval' in args else ('--eval', 'bbox', *args)
    run_tool('analysis_tools/eval_metric', config, path, *args)


def eval_of(content: Any, *args: object, **options: Any) -> Callable[[Path], None]:
    """A row's run that measures predictions."""
    return lambda root: measured(root, content, *args, **options)


def changed(**fields: Any) -> dict:
    """A COCO file whose first annotation has other fields; those that are None are left out."""
    content = coco()
    first = {**content['annotations'][0], **fields}
    content['annotations'][0] = {name: one for name, one in first.items() if one is not None}
    return content


def dumped(**fields: Any) -> Callable[[Path], None]:
    """A row's run that measures a dump of predictions in the first of which fields differ."""

    def run(root: Path) -> None:
        found = dict(bboxes=np.ones((1, 4)), labels=np.zeros(1, int), scores=np.ones(1))
        found |= {name: one for name, one in fields.items() if name == 'masks'}
        samples: list = [
            {'img_id': number, 'img_path': str(root / 'photos' / name), 'pred_instances': found}
            for number, name in enumerate(('1.jpg', 'sub/2.jpg'))
        ]
        instances = {name: one for name, one in fields.items() if name in found}
        samples[0]['pred_instances'] = {**found, **instances}
        samples[0] |= {name: one for name, one in fields.items() if name not in found}
        measured(root, [{k: v for k, v in one.items() if v is not None} for one in samples])

    return run


def of_other_photos(root: Path) -> None:
    photos(root / 'others', grey=99)
    measured(root, coco(info={'photo_root': str(root / 'others')}))


def without_predictions(root: Path) -> None:
    run_tool('analysis_tools/eval_metric', config_of(root), root / 'gone.pkl')


def of_a_folder(root: Path) -> None:
    run_tool('analysis_tools/eval_metric', config_of(root), root / 'photos')


def of_a_wrapper(root: Path) -> None:
    config = config_of(root)
    wrapper = "test_dataloader = dict(dataset=dict(_delete_=True, type='RepeatDataset', times=2, "
    config.write_text(config.read_text() + wrapper + 'dataset=dict(dataset)))\n')
    (root / 'found.json').write_text(json.dumps(coco()))
    run_tool('analysis_tools/eval_metric', config, root / 'found.json', '--eval', 'bbox')


def as_file(root: Path) -> Path:
    """A path that cannot be a folder, since its parent is a file."""
    (root / 'file').touch()
    return root / 'file' / 'out'


def labelled(path: Path, img_id: str, masks: bool = True) -> LabelledImage:
    """A photo with a dog."""
    return LabelledImage(
        img_id=img_id,
        img_path=str(path),
        dataset_name='zoo',
        size=(6, 8),
        labels=np.zeros(1, int),
        scores=np.ones(1),
        boxes=np.array([[1.0, 1, 3, 3]]),
        masks=[mask_api.frPyObjects(RUNS, 6, 8)] if masks else None,
    )


def exported(
    write: Callable[..., Any],
    prepare: Callable[[Path], object] = lambda root: None,
    names: tuple[str, ...] = ('1',),
    classes: tuple[str, ...] = CLASSES,
    masks: bool = True,
) -> Callable[[Path], None]:
    """A row's run that exports photos to ``out``."""

    def run(root: Path) -> None:
        photos(root / 'photos')
        images = [labelled(root / 'photos/1.jpg', name, masks) for name in names]
        prepare(root)
        more = () if write is write_coco else (read_image,)
        write(images, classes, root / 'out', *more)

    return run


def made(name: str, text: str = 'mine') -> Callable[[Path], object]:
    """Let a file of the user lie where an export writes."""

    def run(root: Path) -> None:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)

    return run


def other_classes(root: Path) -> None:
    image = labelled(root / 'photos/1.jpg', '1')
    write_yolo([image], ('cat', 'dog'), root / 'out', read_image, split='val')


def over_its_own_data(root: Path) -> None:
    photos(root / 'VOC/JPEGImages')
    image = labelled(root / 'VOC/JPEGImages/sub/2.jpg', 'sub/2')
    write_voc([image], CLASSES, root / 'VOC', read_image)


def ground_truth(*args: object) -> Callable[[Path], None]:
    """A row's run that exports ground truth."""
    return lambda root: run_tool(
        'dataset_converters/export_ground_truth', config_of(root), *(str(one) for one in args)
    )


def corrected(text: str) -> Callable[[Path], None]:
    """A row's run that reads corrected labels."""

    def run(root: Path) -> None:
        (root / 'done.json').write_text(text)
        read_corrections(str(root / 'done.json'))

    return run


def classes_twice(root: Path) -> None:
    exported(write_voc)(root)
    (root / 'out/ImageSets/classes.txt').write_text('dog\ndog\n')
    VOCInstanceDataset(str(root / 'out'), pipeline=[])


def unknown_class_of_an_export(root: Path) -> None:
    exported(write_voc)(root)
    VOCInstanceDataset(str(root / 'out'), metainfo=dict(classes=('dog', 'cow')), pipeline=[])


def proposals_of_another_photo(root: Path) -> None:
    photos(root / 'photos')
    image = Proposals(np.array([[0, 0, 4, 4]]), 8, 6, 'mine', '1', photo_crc=7)
    write_proposals(proposal_path(root / 'stored', 'photos', '1'), image)
    results = dict(img=read_image(root / 'photos/1.jpg'), ori_shape=(6, 8), photo_crc=8)
    results |= dict(photo_id='1', dataset_name='photos')
    ProvideRegionProposals(str(root / 'stored')).transform(results)


def without_a_display(root: Path) -> None:
    import matplotlib.pyplot as plt

    plt.switch_backend('agg')
    require_display()


def moved(root: Path) -> None:
    """Two photos of one name, whose folders a file of labels does not tell."""
    content = coco(('1.jpg',))
    measured(root, content, names=('a/1.jpg', 'b/1.jpg'))


def full_path_taken(root: Path) -> None:
    shutil.copytree(REPOSITORY / 'tests/test_bad_inputs', root / 'found.md')
    measured(root, coco(), '--markdown', root / 'found.md')


NOT_FINITE = float('nan')
RUN_ROWS: dict[str, Callable[[Path], Any]] = {
    'predictions that do not exist': without_predictions,
    'a folder instead of predictions': of_a_folder,
    'damaged predictions (.pkl)': eval_of(b'torn'),
    'an empty file of predictions (.pkl)': eval_of(b''),
    'a dict instead of a list of predictions (.pkl)': eval_of(pickle.dumps({'masks': 1})),
    'an empty list of predictions (.pkl)': eval_of([]),
    'torn labels (.json)': eval_of('{"images": ['),
    "a list of COCO's results": eval_of('[{"image_id": 1, "score": 1}]'),
    'labels without categories': eval_of({'images': [], 'annotations': []}),
    'labels of other classes': eval_of(coco(categories=[{'id': 1, 'name': 'zebra'}])),
    'labels of other photos with the same names': of_other_photos,
    'labels that lack a photo': eval_of(coco(('1.jpg',))),
    'labels with a photo twice': eval_of(coco(('1.jpg', '1.jpg', 'sub/2.jpg'))),
    'labels of a photo that could be two': moved,
    'labels of photos of another size': eval_of(
        coco(images=[{**one, 'width': 9} for one in coco()['images']], annotations=[])
    ),
    'labels of a photo that is not listed': eval_of(changed(image_id=7)),
    'labels of a category that is not listed': eval_of(changed(category_id=7)),
    'a label without a box': eval_of(changed(bbox=None)),
    'a label with a box of three numbers': eval_of(changed(bbox=[1, 2, 3])),
    'a label with a score that is no number': eval_of(changed(score=NOT_FINITE)),
    'a label with run lengths that are too short': eval_of(
        changed(segmentation={'size': [6, 8], 'counts': [7, 2]})
    ),
    'a label with a polygon of NaN': eval_of(
        changed(segmentation=[[NOT_FINITE, 1, 3, 1, 3, 3]]), '--eval', 'segm'
    ),
    'a label with damaged compressed run lengths': eval_of(
        changed(segmentation={'size': [6, 8], 'counts': 'oooo'}), '--eval', 'segm'
    ),
    'a label with run lengths of another size': eval_of(
        changed(segmentation={'size': [3, 4], 'counts': [12]}), '--eval', 'segm'
    ),
    'predictions with numbers instead of names of photos': dumped(img_path=None),
    'predictions with an unknown label': dumped(labels=np.array([2])),
    'predictions with a negative label': dumped(labels=np.array([-1])),
    'predictions with an infinite box': dumped(bboxes=np.full((1, 4), np.inf)),
    'predictions with an inverted box': dumped(bboxes=np.array([[5.0, 5, 2, 2]])),
    'predictions with more scores than boxes': dumped(scores=np.ones(2)),
    'a label with the score 97': eval_of(changed(score=97)),
    'labels without the sizes of their photos': eval_of(coco(images=SIZELESS)),
    'a label with a negative score': eval_of(changed(score=-1)),
    'a label with a word as score': eval_of(changed(score='high')),
    'a label that is true as score': eval_of(changed(score=True)),
    'a label without the score that others have': eval_of(changed(score=None)),
    'a label with corners for corner and size': eval_of(changed(bbox=[1, 1, 9, 9])),
    'a label of negative width': eval_of(changed(bbox=[3, 3, -2, -2])),
    'a label in fractions of the photo': eval_of(
        changed(bbox=[0.1, 0.1, 0.3, 0.3], segmentation=None)
    ),
    'a label with a box that is true': eval_of(changed(bbox=[True, 1, 2, 2])),
    'a label with a box of null': eval_of(changed(bbox=[None, 1, 2, 2])),
    'a label of an unknown name': eval_of(changed(category_id='cow')),
    'a label of the category 1.5': eval_of(changed(category_id=1.5)),
    'labels with two categories of one id': eval_of(
        coco(categories=[{'id': 1, 'name': 'dog'}, {'id': '1', 'name': 'cat'}])
    ),
    'labels with two categories of one name': eval_of(
        coco(categories=[{'id': 1, 'name': 'dog'}, {'id': 2, 'name': 'dog'}])
    ),
    'labels with two photos of one id': eval_of(
        coco(images=[{**one, 'id': 0} for one in coco()['images']])
    ),
    'labels of a photo whose name is a number': eval_of(
        coco(images=[{**one, 'file_name': 5} for one in coco()['images']])
    ),
    'labels of a photo without height': eval_of(
        coco(images=[{**one, 'height': None} for one in coco()['images']])
    ),
    'labels without masks, for masks': eval_of(changed(segmentation=None), '--eval', 'segm'),
    'predictions with the score 97': dumped(scores=np.full(1, 97.0)),
    'predictions with scores in columns': dumped(scores=np.ones((1, 1))),
    'predictions with a score of each class': dumped(scores=np.ones((1, 2))),
    'predictions with scores that are true': dumped(scores=np.ones(1, bool)),
    'predictions with a number for scores': dumped(scores=0.5),
    'predictions with the label .5': dumped(labels=np.full(1, 0.5)),
    'predictions with the label nan': dumped(labels=np.full(1, np.nan)),
    'predictions with labels that are true': dumped(labels=np.ones(1, bool)),
    'predictions with names for labels': dumped(labels=['dog']),
    'predictions in fractions of the photo': dumped(bboxes=np.array([[0.1, 0.1, 0.3, 0.3]])),
    'predictions beyond the photo': dumped(bboxes=np.array([[0, 0, 800, 600.0]])),
    'predictions left of the photo': dumped(bboxes=np.array([[-40, 0, 8, 6.0]])),
    'predictions with scores in the boxes': dumped(bboxes=np.ones((1, 5))),
    'predictions with boxes of objects': dumped(bboxes=[None]),
    'predictions of a photo whose path is a number': dumped(img_path=5),
    'predictions of a photo with one side': dumped(ori_shape=(6,)),
    'predictions of a photo with text for sides': dumped(ori_shape='abc'),
    'predictions with text for masks': dumped(masks=['a']),
    'predictions with masks of probabilities': dumped(masks=np.full((1, 6, 8), 0.3)),
    'predictions of other classes': dumped(classes=('dog', 'zebra')),
    'predictions of a photo of another size': dumped(ori_shape=(60, 80)),
    'a metric that does not exist': eval_of(coco(), 'mAP'),
    'training photos of a config without them': eval_of(coco(), '--split', 'train'),
    'a folder instead of a file of tables': full_path_taken,
    'a data set that wraps another one, measured from a file': of_a_wrapper,
    'a file as the folder of an export': lambda root: ground_truth('--out', as_file(root))(root),
    'an export of a split without a dataloader': ground_truth('--out', 'out', '--split', 'corloc'),
    'an export over its own data set': over_its_own_data,
    "an export over a user's labels (YOLO)": exported(write_yolo, made('out/labels/train/1.txt')),
    "an export over a user's data.yaml": exported(write_yolo, made('out/data.yaml')),
    "an export over a user's list (VOC)": exported(
        write_voc, made('out/ImageSets/Main/train.txt')
    ),
    "an export over a user's COCO file": exported(
        write_coco, made('out/annotations/instances_train.json', '{"info": {}, "images": []}')
    ),
    'an export of other classes into the folder of another split': exported(
        write_yolo, other_classes
    ),
    'a damaged list of exported files': exported(write_yolo, made('out/.mmlabelpenet_yolo.json')),
    'two photos with one name in an export': exported(write_voc, names=('a b', 'a_b')),
    'a stage without masks, exported to YOLO': exported(write_yolo, masks=False),
    'a class with a slash, exported to VOC': exported(write_voc, classes=('dog/puppy',)),
    '300 classes, exported to VOC': exported(write_voc, classes=tuple(map(str, range(300)))),
    'corrected labels that are not there': lambda root: read_corrections(f'{root}/done.json'),
    'corrected labels with an ellipse': corrected(ELLIPSE),
    'corrected labels that are a list of names': corrected('["1.jpg"]'),
    'a VOC export with a class twice': classes_twice,
    'a class that a VOC export does not have': unknown_class_of_an_export,
    'stored proposals of another photo in the demo': proposals_of_another_photo,
    'a window without a display': without_a_display,
    'a palette that does not exist': lambda root: LabelPEnetInferencer(
        'c.py', 'c.pth', palette='grey'
    ),
}
ROWS = [BadInput(name, run, SENTENCES[name]) for name, run in RUN_ROWS.items()]
