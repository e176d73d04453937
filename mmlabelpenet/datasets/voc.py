"""PASCAL VOC with image tags for training, boxes and instance masks for testing."""

import os.path as osp
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from typing import Any

from mmdet.datasets import VOCDataset

from mmlabelpenet.registry import DATASETS
from mmlabelpenet.utils import UserError

from .weak import TaggedDataset


@DATASETS.register_module()
class VOCInstanceDataset(TaggedDataset):
    """A VOC devkit year as it is unpacked (2007, 2012, or another in the same layout).

    Every image of the split stays in the data set, also one without any tag. Each has

    - ``img_id``, ``img_path``, ``dataset_name`` (the devkit folder's name, which keys the
      proposals) and ``num_classes`` (int);
    - ``tags``: sorted class indices that ``ImageSets/Main/{class}_{split}.txt`` marks 1;
    - ``ignored_tags``: those marked 0, i.e. with difficult objects only: neither a tag nor
      evidence of absence;

    and with ``supervision='full'`` also

    - ``height``, ``width``;
    - ``instances``: dicts of ``bbox`` (xyxy, 0-based, both corners inclusive, as mmdet's
      VOC data sets have it), ``bbox_label``, ``ignore_flag`` (1 = difficult);
    - ``seg_map_path``, ``instance_map_path`` where those PNGs exist, and ``seg_label_map``: of
      each class value in them the value (0 = background, class c -> c + 1) in this data set.

    With ``supervision='tags'`` no XML and no mask is ever opened, with ``'none'`` no list but the
    split's own: there are no tags, as of VOC 2012's test images.

    Args:
        data_root: The devkit year's folder, e.g. ``data/VOCdevkit/VOC2012``.
        ann_file: The split's list, relative to ``data_root``.
        metainfo: Other ``classes`` than all of METAINFO's: a subset, in any order.
        **kwargs: Of :class:`TaggedDataset`.

    Raises:
        UserError: If the devkit, the split's list, a class's list, an image or (with full
            supervision) an XML file is missing, or a class is unknown.
    """

    METAINFO = {
        'classes': VOCDataset.METAINFO['classes'],
        'palette': VOCDataset.METAINFO['palette'],
        'dataset_type': 'VOC',
    }
    REMEDY = 'unpack the PASCAL VOC devkit there, or set data_root in the config'

    def __init__(
        self,
        data_root: str,
        ann_file: str = 'ImageSets/Main/train.txt',
        metainfo: Mapping | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(ann_file=ann_file, metainfo=metainfo, data_root=data_root, **kwargs)

    @classmethod
    def _load_metainfo(cls, metainfo: Mapping | None = None) -> dict:
        """Let the palette follow where a config names other classes."""
        merged = super()._load_metainfo(metainfo)
        known = cls.METAINFO['classes']
        merged['classes'] = tuple(merged['classes'])
        unknown = [name for name in merged['classes'] if name not in known]
        if unknown:
            raise UserError(
                f'{cls.__name__} has no class {", ".join(map(repr, unknown))}: choose from '
                f'{", ".join(known)}.'
            )
        if metainfo is not None and 'palette' not in metainfo:
            colours = dict(zip(known, cls.METAINFO['palette']))
            merged['palette'] = [colours[name] for name in merged['classes']]
        return merged

    def load_data_list(self) -> list[dict]:
        """Read the split's list and the class lists; with full supervision the XML as well.

        Returns:
            One dict per image, in the order of the list.
        """
        listed = [fields[0] for fields in self._read_list(self.ann_file)]
        img_ids = [img_id for img_id in listed if not self.is_skipped(img_id)]
        names = [f'{img_id}.jpg' for img_id in img_ids]
        paths = self.find_images(self._path('JPEGImages'), names, self.ann_file)
        tags, ignored = self._read_tags()
        dataset_name = osp.basename(osp.normpath(self.data_root))
        data_list = []
        for img_id, name in zip(img_ids, names):
            info = {
                'img_id': img_id,
                'img_path': paths[name],
                'dataset_name': dataset_name,
                'num_classes': len(self.metainfo['classes']),
                'tags': tags.get(img_id, []),
                'ignored_tags': ignored.get(img_id, []),
            }
            if self.supervision == 'full':
                info.update(self._read_ground_truth(img_id))
            data_list.append(info)
        return data_list

    def _path(self, *parts: str) -> str:
        return osp.join(self.data_root, *parts)

    def _read_list(self, path: str) -> list[list[str]]:
        """The fields of every line that is not blank."""
        if not osp.isdir(self.data_root):
            raise UserError(f'There is no data set at {self.data_root}: {self.REMEDY}.')
        try:
            with open(path, encoding='utf-8') as file:
                return [line.split() for line in file if line.strip()]
        except OSError:
            raise UserError(f'The list {path} is missing: {self.REMEDY}.') from None

    def _read_tags(self) -> tuple[dict[str, list[int]], dict[str, list[int]]]:
        """Class indices marked 1, and those marked 0, of every image that has some."""
        split = osp.splitext(osp.basename(self.ann_file))[0]
        tags: dict[str, list[int]] = {}
        ignored: dict[str, list[int]] = {}
        if self.supervision == 'none':
            return tags, ignored
        for label, name in enumerate(self.metainfo['classes']):
            path = self._path('ImageSets', 'Main', f'{name}_{split}.txt')
            for img_id, *marks in self._read_list(path):
                if marks == ['1']:
                    tags.setdefault(img_id, []).append(label)
                elif marks == ['0']:
                    ignored.setdefault(img_id, []).append(label)
                elif marks != ['-1']:
                    self.complain(f'{path} does not mark {img_id} by 1, 0 or -1: {self.REMEDY}.')
        return tags, ignored

    def _read_ground_truth(self, img_id: str) -> dict:
        """Size, boxes and mask paths of one image."""
        path = self._path('Annotations', f'{img_id}.xml')
        truth = self._read_xml(path)
        class_map = self._path('SegmentationClass', f'{img_id}.png')
        object_map = self._path('SegmentationObject', f'{img_id}.png')
        if osp.exists(class_map) and osp.exists(object_map):
            truth.update(
                seg_map_path=class_map,
                instance_map_path=object_map,
                seg_label_map=self._seg_label_map(),
            )
        return truth

    def _read_xml(self, path: str) -> dict:
        try:
            root = ET.parse(path).getroot()
            return {
                'height': int(root.findtext('size/height', '')),
                'width': int(root.findtext('size/width', '')),
                'instances': self._parse_objects(root),
            }
        except OSError:
            self.complain(f'The annotation {path} is missing: {self.REMEDY}.')
        except (ET.ParseError, ValueError) as error:
            self.complain(f'{path} is no VOC annotation ({error}): {self.REMEDY}.')
        return {'instances': []}

    def _parse_objects(self, root: ET.Element) -> list[dict]:
        """Boxes of this data set's classes, from VOC's 1-based pixels to 0-based ones."""
        labels = {name: label for label, name in enumerate(self.metainfo['classes'])}
        corners = ('xmin', 'ymin', 'xmax', 'ymax')
        return [
            {
                'bbox': [float(obj.findtext(f'bndbox/{key}', '')) - 1 for key in corners],
                'bbox_label': labels[obj.findtext('name')],
                'ignore_flag': int(obj.findtext('difficult', '0')),
            }
            for obj in root.iterfind('object')
            if obj.findtext('name') in labels
        ]

    def _seg_label_map(self) -> list[int]:
        """Of each value in the class PNGs below void, this data set's value."""
        classes = self.metainfo['classes']
        known = self.METAINFO['classes']
        return [0, *(classes.index(name) + 1 if name in classes else 0 for name in known)]
