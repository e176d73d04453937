from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mmlabelpenet.evaluation import VOCDetectionMetric, VOCResultFiles

from .reference import box_iou_inclusive, evaluate_class
from .samples import box_sample, random_sample, run

CLASSES = ('cat', 'dog', 'owl', 'bee')


@pytest.fixture(scope='module')
def images():
    rng = np.random.default_rng(0)
    return [{**random_sample(rng), 'img_id': f'2008_{image:06d}'} for image in range(6)]


@pytest.fixture(scope='module')
def written(images, tmp_path_factory):
    folder = tmp_path_factory.mktemp('out')
    # the last image once more, as a sampler pads
    figures = run(VOCResultFiles(str(folder), 'val'), [*images, images[0]], CLASSES, len(images))
    assert figures == {}
    return folder / 'results' / 'VOC2012'


def read_boxes(folder):
    """(image, class, score, box of 1-based pixels), as a server reads them."""
    for label, name in enumerate(CLASSES):
        for line in (folder / 'Main' / f'comp4_det_val_{name}.txt').read_text().splitlines():
            image, *numbers = line.split(' ')
            score, *box = map(float, numbers)
            assert len(box) == 4
            yield image, label, score, box


def test_boxes_read_back_are_those_that_were_predicted(images, written):
    read = sorted(read_boxes(written))
    expected = sorted(
        (image['img_id'], int(label), float(score), [side + 1 for side in box.tolist()])
        for image in images
        for label, score, box in zip(
            *(image['pred_instances'][name] for name in ('labels', 'scores', 'bboxes'))
        )
    )
    assert [one[:2] for one in read] == [one[:2] for one in expected]
    assert [np.float32(one[2]) for one in read] == [np.float32(one[2]) for one in expected]
    assert np.allclose([one[3] for one in read], [one[3] for one in expected], rtol=0, atol=1e-6)


def test_the_devkit_s_procedure_on_the_files_gives_the_metric_s_figure(images, written):
    read = list(read_boxes(written))
    by_image = []
    for image in images:
        found = [one[1:] for one in read if one[0] == image['img_id']]
        true = [
            (int(label), name == 'ignored_instances', [side + 1 for side in box.tolist()])
            for name in ('gt_instances', 'ignored_instances')
            for label, box in zip(image[name]['labels'], image[name]['bboxes'])
        ]
        by_image.append((found, true))
    aps = [evaluate_class(by_image, label, box_iou_inclusive, 0.5, 'area') for label in range(4)]
    figures = run(VOCDetectionMetric(), images, CLASSES)
    assert figures['bbox_mAP_50'] == pytest.approx(np.nanmean(aps), abs=1e-9)


def test_maps_read_back_are_those_that_were_predicted(images, written):
    folder = written / 'Segmentation' / 'comp6_val_cls'
    assert sorted(path.stem for path in folder.iterdir()) == [p['img_id'] for p in images]
    for image in images:
        with Image.open(folder / f'{image["img_id"]}.png') as png:
            assert png.mode == 'P'
            # VOC's colours of background, aeroplane and bicycle
            assert png.getpalette()[:9] == [0, 0, 0, 128, 0, 0, 0, 128, 0]
            assert np.array_equal(png, image['pred_sem_seg']['sem_seg'][0])


def test_classes_of_voc_have_voc_s_values(tmp_path):
    sample = {
        **box_sample(),
        'img_id': 'a',
        'pred_sem_seg': {'sem_seg': torch.tensor([[[0, 1, 2]]])},
    }
    run(VOCResultFiles(str(tmp_path), 'test', 'VOC2007'), [sample], ('person', 'cat'))
    path = tmp_path / 'results' / 'VOC2007' / 'Segmentation' / 'comp6_test_cls' / 'a.png'
    with Image.open(path) as image:
        assert np.asarray(image).tolist() == [[0, 15, 8]]


def test_classes_that_were_found_nowhere_have_an_empty_file(tmp_path):
    run(VOCResultFiles(str(tmp_path), 'test'), [{**box_sample(), 'img_id': 'a'}], ('cat', 'dog'))
    files = sorted(Path(tmp_path).rglob('*.*'))
    assert [path.name for path in files] == ['comp4_det_test_cat.txt', 'comp4_det_test_dog.txt']
    assert [path.read_text() for path in files] == ['', '']
