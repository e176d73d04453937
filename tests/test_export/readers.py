"""Reads an export with another program, in an environment that has it; this package is not there.

``python readers.py READER FOLDER`` prints as JSON for each image, by its name without suffix, the
class and the number of pixels of each instance.
"""

import json
import sys
from pathlib import Path


def supervision_coco(root):
    import supervision

    images, file = root / 'images/train', root / 'annotations/instances_train.json'
    return of_supervision(
        supervision.DetectionDataset.from_coco(str(images), str(file), force_masks=True)
    )


def supervision_yolo(root):
    import supervision

    folders = (str(root / 'images/train'), str(root / 'labels/train'), str(root / 'data.yaml'))
    return of_supervision(supervision.DetectionDataset.from_yolo(*folders, force_masks=True))


def supervision_voc(root):
    """Boxes alone: it reads no masks of a devkit."""
    import supervision

    folders = (str(root / 'JPEGImages'), str(root / 'Annotations'))
    return of_supervision(supervision.DetectionDataset.from_pascal_voc(*folders))


def of_supervision(dataset):
    found = {}
    for path, _, one in dataset:
        sizes = one.box_area if one.mask is None else one.mask.sum((1, 2))
        names = [dataset.classes[label] for label in one.class_id]
        found[Path(path).stem] = [[name, int(size)] for name, size in zip(names, sizes)]
    return found


def datumaro_coco(root):
    return of_datumaro(root, 'coco')


def datumaro_voc(root):
    return of_datumaro(root, 'voc')


def of_datumaro(root, kind):
    import datumaro
    from datumaro.components.annotation import AnnotationType

    dataset = datumaro.Dataset.import_from(str(root), kind)
    names = dataset.categories()[AnnotationType.label]
    found = {}
    for item in dataset:
        assert item.media.data is not None, f'{item.id} has no image'
        shapes = [one for one in item.annotations if hasattr(one, 'get_area')]
        masks = [one for one in shapes if one.type != AnnotationType.bbox]
        parts = {}  # the polygons of an object have one group
        for index, one in enumerate(masks or shapes):
            parts.setdefault(one.group or -1 - index, []).append(one)
        found[Path(item.id).name] = [
            [names[own[0].label].name, round(sum(one.get_area() for one in own))]
            for own in parts.values()
        ]
    return found


def load_torchvision():
    """Import it beside a CPU build of torch, which its operators of the registry's build lack.

    Reading a data set needs none of them.
    """
    import torch

    try:
        import torchvision
    except RuntimeError:
        for name in [name for name in sys.modules if name.partition('.')[0] == 'torchvision']:
            del sys.modules[name]
        library = torch.library.Library('torchvision', 'DEF')
        for name in ('nms', 'qnms'):
            library.define(f'{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor')
        import torchvision  # noqa: F401

        return library


def ultralytics_yolo(root):
    library = load_torchvision()  # noqa: F841 - it lasts as long as this name
    import cv2
    import numpy as np
    from ultralytics.data.dataset import YOLODataset
    from ultralytics.data.utils import check_det_dataset

    data = check_det_dataset(str(root / 'data.yaml'), autodownload=False)
    dataset = YOLODataset(img_path=data['train'], data=data, task='segment', augment=False)
    found = {}
    for one in dataset.labels:
        found[Path(one['im_file']).stem] = instances = []
        for label, outline in zip(one['cls'].ravel(), one['segments']):
            mask = np.zeros(one['shape'], np.uint8)
            cv2.fillPoly(mask, [(outline * one['shape'][::-1]).astype(np.int32)], 1)
            instances.append([data['names'][int(label)], int(mask.sum())])
    return found


def label_studio_brush(root):
    """Regions that Label Studio's own converter decodes."""
    from label_studio_sdk.converter.brush import decode_rle

    found = {}
    for task in json.loads((root / 'tasks_train.json').read_text()):
        found[task['data']['photo']] = [
            [
                part['value']['brushlabels'][0],
                int((decode_rle(part['value']['rle'])[3::4] > 0).sum()),
            ]
            for part in task['predictions'][0]['result']
        ]
    return found


def label_studio_coco(root):
    """Writes ``converted/result.json`` from ``done.json``, whose predictions were accepted."""
    from label_studio_sdk.converter import Converter

    converter = Converter(
        (root / 'label_config.xml').read_text(), str(root), download_resources=False
    )
    converter.convert_to_coco(str(root / 'done.json'), str(root / 'converted'), is_dir=False)
    return {}


if __name__ == '__main__':
    print(json.dumps(globals()[sys.argv[1]](Path(sys.argv[2]))))
