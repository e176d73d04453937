"""Tasks of Label Studio, and back from what someone has corrected there."""

import json
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from mmlabelpenet.datasets import name_in, read_corrections
from mmlabelpenet.export import write_label_studio
from mmlabelpenet.utils import UserError, read_image

from .conftest import CLASSES, decode, iou

KINDS = {'rle': 'brushlabels', 'polygon': 'polygonlabels'}


def accepted(path, change=lambda task: None):
    """Tasks as Label Studio exports them once their predictions were accepted."""
    tasks = json.loads(path.read_text())
    for number, task in enumerate(tasks, start=1):
        task['id'] = number
        task['annotations'] = [dict(result=task.pop('predictions')[0]['result'])]
        change(task)
    done = path.with_name('done.json')
    done.write_text(json.dumps(tasks))
    return str(done)


@pytest.mark.parametrize('segmentation', KINDS)
def test_accepted_regions_are_the_exported_instances(tmp_path, images, segmentation):
    out = tmp_path / 'out'
    path = write_label_studio(images, CLASSES, out, read_image, segmentation=segmentation)
    assert path == out / 'tasks_train.json'
    tasks = json.loads(path.read_text())
    assert [one['data']['image'] for one in tasks] == [
        f'/data/local-files/?d=images/train/{name}.jpg' for name in 'ab'
    ]
    assert (out / 'images/train/a.jpg').is_file()
    kinds = {part['type'] for one in tasks for part in one['predictions'][0]['result']}
    assert kinds == {KINDS[segmentation]}
    found = read_corrections(accepted(path))
    assert (len(found['a']), found['b']) == (3, [])
    for one, label, rle, box in zip(
        found['a'], images[0].labels, images[0].masks, images[0].boxes
    ):
        assert one.label == CLASSES[label]
        assert iou(decode(one.mask), decode(rle)) == 1
        np.testing.assert_allclose(one.bbox, box)


def test_the_label_config_offers_all_classes(tmp_path, images):
    write_label_studio(images, ('a & b', 'c', 'd'), tmp_path, read_image)
    view = ET.parse(tmp_path / 'label_config.xml').getroot()
    assert [one.get('value') for one in view.iter('Label')] == ['a & b', 'c', 'd']
    [control] = view.iter('BrushLabels')
    assert (control.get('name'), control.get('toName')) == ('label', 'image')


def test_instances_without_masks_are_rectangles(tmp_path, images):
    for image in images:
        image.masks = None
    path = write_label_studio(images, CLASSES, tmp_path / 'out', read_image)
    found = read_corrections(accepted(path))['a']
    np.testing.assert_allclose([one.bbox for one in found], images[0].boxes, atol=1e-4)
    assert {one.mask for one in found} == {None}


def test_doubt_orders_tasks(tmp_path, images):
    images[0].doubt, images[1].doubt = 0.25, 1.0
    tasks = json.loads(
        write_label_studio(images, CLASSES, tmp_path / 'out', read_image).read_text()
    )
    assert [one['data']['doubt'] for one in tasks] == [0.25, 1.0]
    assert [one['predictions'][0]['score'] for one in tasks] == [0.75, 0.0]


def test_only_what_was_annotated_counts_and_the_last_annotation_does(tmp_path, images):
    path = write_label_studio(images, CLASSES, tmp_path / 'out', read_image)

    def change(task):
        if task['data']['photo'] == 'b':
            task['annotations'] = [dict(result=[], was_cancelled=True)]
        else:
            first = task['annotations'][0]
            choice = dict(type='choices', value=dict(choices=['fine']))
            task['annotations'] += [dict(result=[*first['result'][:1], choice])]

    found = read_corrections(accepted(path, change))
    assert [len(objects) for objects in found.values()] == [1]


@pytest.mark.parametrize(
    'change',
    [
        dict(type='ellipselabels', value=dict(ellipselabels=['dog'])),
        dict(type='rectanglelabels', value=dict(rectanglelabels=['dog'], rotation=30)),
        dict(type='polygonlabels', value=dict(polygonlabels=['dog', 'cat'])),
    ],
)
def test_regions_of_other_kinds_are_refused(tmp_path, images, change):
    path = write_label_studio(images, CLASSES, tmp_path / 'out', read_image)

    def spoil(task):
        for part in task['annotations'][0]['result']:
            part.update(change)

    with pytest.raises(UserError, match=f'a region of the kind {change["type"]}'):
        read_corrections(accepted(path, spoil))


def test_own_tasks_find_their_images_by_the_name_on_the_server(tmp_path, images):
    path = write_label_studio(images, CLASSES, tmp_path / 'out', read_image)
    served = {
        'a': '/data/upload/3/0123abcd-a.jpg',
        'b': '/data/local-files/?d=my%20photos/b.jpg',
    }

    def change(task):
        task['data'] = dict(image=served[task['data']['photo']])

    found = read_corrections(accepted(path, change))
    assert [*found] == ['a', 'my photos/b']
    assert name_in(found, '/home/me/a.jpg') == 'a'
    assert name_in(found, '/home/me/my photos/b.jpg') == 'my photos/b'
    assert name_in(found, '/home/me/b.jpg') is None


@pytest.mark.parametrize('content', ['{}', '[1]', 'nonsense', '[{"annotations": [{}]}]'])
def test_what_is_no_file_of_corrections_is_refused(tmp_path, content):
    path = tmp_path / f'{len(content)}.json'
    path.write_text(content)
    with pytest.raises(UserError, match='cannot be read as corrected labels'):
        read_corrections(str(path))
