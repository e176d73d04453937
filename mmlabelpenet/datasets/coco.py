"""Data sets in COCO's JSON format, with tags for training, boxes and masks for testing."""

import json
import os
import os.path as osp
from collections import deque
from collections.abc import Mapping
from operator import itemgetter
from pathlib import Path
from typing import Any

from mmlabelpenet.registry import DATASETS
from mmlabelpenet.utils import explain_read_errors

from .metainfo import class_metainfo
from .tagged import TaggedDataset

_REQUIRED_KEYS = {
    'images': ('id', 'file_name', 'height', 'width'),
    'annotations': ('image_id', 'category_id'),
    'categories': ('id', 'name'),
}


@DATASETS.register_module()
class COCOInstanceDataset(TaggedDataset):
    """COCO, or any data set whose annotations are in one JSON file of its format.

    The classes are those of the file, in the order of their ids. Each image has

    - ``img_id``: COCO's number; ``photo_id``: the path below ``data_root`` without suffix, by
      which its proposals are stored; ``img_path``, ``dataset_name`` (the folder's name),
      ``num_classes``, ``height``, ``width``;
    - ``tags``: sorted labels of the classes that have an annotation;
    - ``ignored_tags``: those that have only crowd annotations;

    and with ``supervision='full'`` also ``instances``: dicts of ``bbox`` (xyxy, 0-based, both
    corners inclusive, as in all data sets of this package), ``bbox_label``, ``ignore_flag`` (1 =
    crowd) and ``mask`` (polygons or run lengths), and ``with_masks``: whether the file has any.

    With ``supervision='tags'``, only the image, the class and the crowd flag of an annotation
    are read.

    Args:
        data_root: Folder that all other paths are relative to, e.g. ``data/coco``.
        ann_file: The JSON file.
        data_prefix: ``img``: folder of the images.
        metainfo: ``classes`` in another order, or some of them.
        **kwargs: Of :class:`TaggedDataset`.

    Raises:
        UserError: If the file or an image is missing, or the file is not in COCO's format.
    """

    METAINFO = {'classes': (), 'palette': [], 'dataset_type': 'COCO'}
    REMEDY = 'put it there, or set data_root, ann_file and data_prefix in the config'

    def __init__(
        self,
        data_root: str,
        ann_file: str,
        data_prefix: Mapping | None = None,
        metainfo: Mapping | None = None,
        **kwargs: Any,
    ) -> None:
        path = osp.join(data_root, ann_file)
        self._content = _read_json(path)
        categories = sorted(self._content['categories'], key=lambda one: one['id'])
        names = [one['name'] for one in categories]
        super().__init__(
            data_root=data_root,
            ann_file=ann_file,
            data_prefix=dict(data_prefix or {'img': ''}),
            metainfo=class_metainfo(names, metainfo, path),
            **kwargs,
        )

    def load_data_list(self) -> list[dict]:
        """Convert the content of the JSON file.

        Returns:
            One dict per image, in the order of the file.
        """
        images = [one for one in self._content['images'] if not self.is_skipped(one['file_name'])]
        annotations = self._annotations_by_image()
        with_masks = any(one.get('segmentation') for one in self._content['annotations'])
        root = self.data_prefix['img']
        paths = self.find_images(root, [one['file_name'] for one in images], self.ann_file)
        prefix = osp.relpath(root, self.data_root)
        # Proposals of images outside data_root are stored in the data set's folder as well.
        if prefix.split(os.sep)[0] == os.pardir:
            prefix = osp.basename(osp.abspath(root))
        data_list = []
        for image in images:
            name, found = image['file_name'], annotations[image['id']]
            info = {
                'img_id': image['id'],
                'photo_id': osp.splitext(osp.normpath(osp.join(prefix, name)))[0],
                'img_path': paths[name],
                'dataset_name': self.dataset_name,
                'num_classes': len(self.metainfo['classes']),
                'height': image['height'],
                'width': image['width'],
                **_tags(found if self.supervision != 'none' else []),
            }
            if self.supervision == 'full':
                info['instances'] = [_instance(label, one) for label, one in found]
                info['with_masks'] = with_masks
            data_list.append(info)
        # Every worker would get a copy of this, which is as large as the file.
        self._content = {}
        return data_list

    def _annotations_by_image(self) -> dict[int, list[tuple[int, dict]]]:
        """Get the labels and annotations of each image; those of other classes are left out."""
        labels = {name: label for label, name in enumerate(self.metainfo['classes'])}
        label_of = {one['id']: labels.get(one['name']) for one in self._content['categories']}
        found: dict[int, list] = {one['id']: [] for one in self._content['images']}
        annotations = self._content['annotations']
        unlisted = {one['image_id']: one for one in annotations if one['image_id'] not in found}
        if unlisted:
            self.report_problem(
                f'{self.ann_file} annotates the photo {next(iter(unlisted))} ({len(unlisted)} in '
                'all), which its list of images lacks: fix the file.'
            )
        for one in annotations:
            label = label_of.get(one['category_id'])
            if label is not None and one['image_id'] in found:
                found[one['image_id']].append((label, one))
        return found


def _read_json(path: str) -> dict:
    remedy = 'fix it, or set data_root and ann_file in the config'
    with explain_read_errors(path, 'a COCO JSON file', remedy):
        content = json.loads(Path(path).read_text(encoding='utf-8'))
        for key, names in _REQUIRED_KEYS.items():
            # Raises an error if an entry lacks a key.
            deque(map(itemgetter(*names), content[key]), maxlen=0)
    return content


def _tags(annotations: list[tuple[int, dict]]) -> dict:
    """Tags of an image; classes with crowds only are ignored."""
    tags = {label for label, one in annotations if not one.get('iscrowd')}
    crowds = {label for label, one in annotations if one.get('iscrowd')}
    return {'tags': sorted(tags), 'ignored_tags': sorted(crowds - tags)}


def _instance(label: int, annotation: dict) -> dict:
    x, y, width, height = annotation['bbox']
    instance = {
        'bbox': [x, y, x + width - 1, y + height - 1],
        'bbox_label': label,
        'ignore_flag': int(bool(annotation.get('iscrowd'))),
    }
    if annotation.get('segmentation'):
        instance['mask'] = annotation['segmentation']
    return instance
