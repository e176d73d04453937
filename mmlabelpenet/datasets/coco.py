"""Data sets in COCO's JSON, with tags for training, boxes and masks for testing."""

import json
import os
import os.path as osp
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from mmlabelpenet.registry import DATASETS
from mmlabelpenet.utils import UserError

from .metainfo import file_metainfo
from .weak import TaggedDataset


@DATASETS.register_module()
class COCOInstanceDataset(TaggedDataset):
    """COCO, or any data set whose annotations lie in one JSON file of its form.

    The classes are the file's, in the order of their ids. Each image has

    - ``img_id``: COCO's number; ``image_id``: the path below ``data_root`` without suffix, by
      which its proposals go; ``img_path``, ``dataset_name`` (the folder's name), ``num_classes``,
      ``height``, ``width``;
    - ``tags``: sorted labels of the classes that have an annotation;
    - ``ignored_tags``: of those that have a crowd only;

    and with ``supervision='full'`` also ``instances``: dicts of ``bbox`` (xyxy, 0-based, both
    corners inclusive, as in all data sets of this package), ``bbox_label``, ``ignore_flag`` (1 =
    crowd) and ``mask`` (polygons or run lengths), and ``with_masks``: whether the file has any.

    With ``supervision='tags'`` nothing of an annotation is looked at but which image and which
    class it is of, and whether it is a crowd.

    Args:
        data_root: Folder that all else is relative to, e.g. ``data/coco``.
        ann_file: The JSON file.
        data_prefix: ``img``: folder of the images.
        metainfo: ``classes`` in another order, or some of them.
        **kwargs: Of :class:`TaggedDataset`.

    Raises:
        UserError: If the file or an image is missing, or the file is no COCO JSON.
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
        path = ann_file if osp.isabs(ann_file) else osp.join(data_root, ann_file)
        self._content = _read_json(path, self.REMEDY)
        self._with_masks = False
        categories = sorted(self._content['categories'], key=lambda one: one['id'])
        names = [one['name'] for one in categories]
        super().__init__(
            data_root=data_root,
            ann_file=ann_file,
            data_prefix=dict(data_prefix or {'img': ''}),
            metainfo=file_metainfo(names, metainfo, path),
            **kwargs,
        )

    def load_data_list(self) -> list[dict]:
        """Take the JSON apart.

        Returns:
            One dict per image, in the order of the file.
        """
        labels = {name: label for label, name in enumerate(self.metainfo['classes'])}
        label_of = {
            one['id']: labels[one['name']]
            for one in self._content['categories']
            if one['name'] in labels
        }
        images = [one for one in self._content['images'] if not self.is_skipped(one['file_name'])]
        annotations = self._annotations_by_image()
        if self.supervision == 'full':
            annotated = self._content['annotations']
            self._with_masks = any(one.get('segmentation') for one in annotated)
        root = self.data_prefix['img']
        paths = self.find_images(root, [one['file_name'] for one in images], self.ann_file)
        prefix = osp.relpath(root, self.data_root)
        # Proposals of images that lie elsewhere stay within the data set's folder all the same.
        if prefix.split(os.sep)[0] == os.pardir:
            prefix = osp.basename(osp.abspath(root))
        data_list = []
        for image in images:
            name = image['file_name']
            data_list.append(
                {
                    'img_id': image['id'],
                    'photo_id': osp.splitext(osp.normpath(osp.join(prefix, name)))[0],
                    'img_path': paths[name],
                    'dataset_name': osp.basename(osp.abspath(self.data_root)),
                    'num_classes': len(labels),
                    'height': image['height'],
                    'width': image['width'],
                    **self._truth(annotations[image['id']], label_of),
                }
            )
        # As large as the file, and workers would get a copy each.
        self._content = {}
        return data_list

    def _annotations_by_image(self) -> dict[int, list[dict]]:
        found: dict[int, list[dict]] = defaultdict(list)
        for one in self._content['annotations']:
            found[one['image_id']].append(one)
        known = {one['id'] for one in self._content['images']}
        strange = [img_id for img_id in found if img_id not in known]
        if strange:
            self.complain(
                f'{self.ann_file} annotates the photo {strange[0]} ({len(strange)} in all), which '
                'its list of images lacks: mend the file.'
            )
        return found

    def _truth(self, annotations: list[dict], label_of: Mapping[int, int]) -> dict:
        """Tags of an image, and with full supervision its boxes and masks."""
        known = [one for one in annotations if one['category_id'] in label_of]
        if self.supervision == 'none':
            known = []
        of_crowds = {label_of[one['category_id']] for one in known if one.get('iscrowd')}
        tags = {label_of[one['category_id']] for one in known if not one.get('iscrowd')}
        truth: dict = {'tags': sorted(tags), 'ignored_tags': sorted(of_crowds - tags)}
        if self.supervision == 'full':
            truth['instances'] = [_instance(one, label_of[one['category_id']]) for one in known]
            truth['with_masks'] = self._with_masks
        return truth


def _read_json(path: str, remedy: str) -> dict:
    try:
        with open(path, encoding='utf-8') as file:
            content = json.load(file)
        for key, fields in (
            ('images', ('id', 'file_name', 'height', 'width')),
            ('annotations', ('image_id', 'category_id')),
            ('categories', ('id', 'name')),
        ):
            for one in content[key]:
                for name in fields:
                    one[name]
        return content
    except OSError:
        raise UserError(f'The file of annotations {path} is missing: {remedy}.') from None
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f'{path} is no COCO JSON ({type(error).__name__}: {error}): mend the file.'
        ) from None


def _instance(annotation: dict, label: int) -> dict:
    x, y, width, height = annotation['bbox']
    instance = {
        'bbox': [x, y, x + width - 1, y + height - 1],
        'bbox_label': label,
        'ignore_flag': int(bool(annotation.get('iscrowd'))),
    }
    if annotation.get('segmentation'):
        instance['mask'] = annotation['segmentation']
    return instance
