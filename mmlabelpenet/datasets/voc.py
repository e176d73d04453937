"""PASCAL VOC with image tags for training, boxes and instance masks for testing."""

import os
import os.path as osp
import re
import unicodedata
import xml.etree.ElementTree as ET
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from mmdet.datasets import VOCDataset

from mmlabelpenet.registry import DATASETS
from mmlabelpenet.utils import UserError, explain_read_errors, nearest_name, read_file

from .coco_masks import TOLERANCE
from .devkit import CLASS_FILE, devkit_classes
from .metainfo import class_metainfo
from .object_marks import unread_marks
from .tagged import TaggedDataset
from .voc_xml import BOX, child_number, child_text, marks_of, other_format

MINI_REMEDY = (
    'make it by `python tools/dataset_converters/voc12_mini.py` from PASCAL VOC 2012, or name the '
    'folder that holds its VOCdevkit by the environment variable VOC12MINI_ROOT'
)
# What is suspicious but may be meant.
OTHER_NAME = (
    'An XML names another photo in <filename> than it is named after ({count} in all, such as '
    '{example}): it is used for the photo of its own name; fix <filename>, or rename the XML.'
)
OTHER_CLASSES = (
    'A photo has other classes in its XML than in the lists of classes ({count} in all, such as '
    '{example}): training uses the lists, measurements use the XML; make them agree.'
)
LACKING = (
    'A list of a class lacks photos of the split ({count} in all, such as {example}): they count '
    'as photos without the class; add their lines, marked 1, 0 or -1.'
)
BEYOND = (
    'A box ends 1 or 2 pixels beyond its photo ({count} in all, such as {example}): it is '
    'clipped; if XML files count pixels from 0, add 1 to all corners, as VOC counts from 1.'
)
ONE_MASK = (
    'A photo has only one of its two masks ({count} in all, such as {example} alone): it is used '
    'without masks; add the other mask, or remove both.'
)
TWICE = (
    'An XML has the same class and box twice ({count} in all, such as {example}): both count as '
    'objects; remove one.'
)
LISTED_TWICE = (
    'A list has a photo twice ({count} in all, such as {example}): it is trained and measured '
    'twice; keep one line of it.'
)
# Suffixes of masks that would be overlooked.
OTHER_MASKS = ('PNG', 'jpg', 'jpeg', 'bmp', 'gif', 'tif', 'tiff', 'webp', 'npy', 'mat')
# Marks in the lists of classes, as they may be written.
MARKS = {'1': '1', '+1': '1', '0': '0', '-1': '-1'}


@DATASETS.register_module()
class VOCInstanceDataset(TaggedDataset):
    """A VOC devkit year as it is unpacked (2007, 2012, or another in the same layout).

    Every image of the split stays in the data set, also one without any tag. Each has

    - ``img_id``, ``img_path``, ``dataset_name`` (name of the devkit's folder, and of the folder
      of its proposals) and ``num_classes`` (int);
    - ``tags``: sorted class indices that ``ImageSets/Main/{class}_{split}.txt`` marks 1;
    - ``ignored_tags``: those marked 0, i.e. with difficult objects only: neither present nor
      absent;

    and with ``supervision='full'`` also

    - ``height``, ``width``;
    - ``instances``: dicts of ``bbox`` (xyxy, 0-based, both corners inclusive, as in mmdet's
      VOC data sets), ``bbox_label``, ``ignore_flag`` (1 = difficult);
    - ``seg_map_path``, ``instance_map_path`` if those PNGs exist, and ``seg_label_map``: the
      value (0 = background, class c -> c + 1) in this data set of each class value in the PNGs.

    With ``supervision='tags'`` no XML file and no mask is opened, with ``'none'`` no list but
    that of the split: there are no tags, as for VOC 2012's test images.

    Args:
        data_root: The devkit year's folder, e.g. ``data/VOCdevkit/VOC2012``.
        ann_file: The split's list, relative to ``data_root``.
        metainfo: Other ``classes`` than all of METAINFO's (or, of a devkit with own classes, than
            all in its ``ImageSets/classes.txt``): a subset, in any order.
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
        own = devkit_classes(data_root)
        self.known_classes, palette = own or self.METAINFO['classes'], self.METAINFO['palette']
        if self.known_classes != self.METAINFO['classes']:
            palette = None
        source = type(self).__name__ if own is None else osp.join(data_root, CLASS_FILE)
        metainfo = class_metainfo(self.known_classes, metainfo, source, palette)
        super().__init__(ann_file=ann_file, metainfo=metainfo, data_root=data_root, **kwargs)

    def load_data_list(self) -> list[dict]:
        """Read the split's list and the class lists; with full supervision the XML as well.

        Returns:
            One dict per image, in the order of the list.
        """
        lines = self._read_list(self.ann_file)
        for line in lines:
            # Lists of a class have marks behind the names, lists of layouts numbers.
            if not all(re.fullmatch(r'[+-]?\d+', one) for one in line[1:]):
                self.report_problem(
                    f'{self.ann_file} has the line {" ".join(line)!r}: write one name a line, and '
                    'rename photos whose names have blanks.'
                )
        listed = [line[0] for line in lines]
        img_ids = [img_id for img_id in listed if not self.is_skipped(img_id)]
        names = [f'{img_id}.jpg' for img_id in img_ids]
        paths = self.find_images(self._path('JPEGImages'), names, self.ann_file)
        for img_id, number in Counter(img_ids).items():
            if number > 1:
                self.suspect(LISTED_TWICE, f'{img_id} in {self.ann_file}')
        tags, ignored = self._read_tags(img_ids)
        data_list = []
        for img_id, name in zip(img_ids, names):
            info = {
                'img_id': img_id,
                'img_path': paths[name],
                'dataset_name': self.dataset_name,
                'num_classes': len(self.classes),
                'tags': tags.get(img_id, []),
                'ignored_tags': ignored.get(img_id, []),
            }
            if self.supervision == 'full':
                info.update(self._read_annotation(img_id), **self._find_masks(img_id))
                if 'height' in info:
                    self._compare_tags(info)
            data_list.append(info)
        return data_list

    def _path(self, *parts: str) -> str:
        return osp.join(self.data_root, *parts)

    def _read_list(self, path: str) -> list[list[str]]:
        """Read the fields of every line that is not blank."""
        if not osp.isdir(self.data_root):
            minis = filter(None, ('voc12mini', os.environ.get('VOC12MINI_ROOT')))
            is_mini = any(one in self.data_root for one in minis)
            remedy = MINI_REMEDY if is_mini else self.REMEDY
            raise UserError(f'There is no data set at {self.data_root}: {remedy}.')
        with explain_read_errors(path, 'a list of images', self.REMEDY):
            lines = read_file(path).decode('utf-8-sig').splitlines()
        return [line.split() for line in lines if line.strip()]

    def _read_tags(
        self, img_ids: Iterable[str]
    ) -> tuple[dict[str, list[int]], dict[str, list[int]]]:
        """Read the class indices marked 1, and those marked 0, of each image that has some."""
        split = osp.splitext(osp.basename(self.ann_file))[0]
        labels: dict[str, dict] = {mark: defaultdict(list) for mark in MARKS}
        for label, name in enumerate(self.classes):
            path = self._path('ImageSets', 'Main', f'{name}_{split}.txt')
            rows = self._read_list(path) if self.supervision != 'none' else []
            found: dict[str, str] = {}
            for img_id, *marks in rows:
                mark = MARKS.get(' '.join(marks), '')
                if not mark:
                    self.report_problem(
                        f'{path} does not mark {img_id} by 1, 0 or -1: {self.REMEDY}.'
                    )
                elif found.setdefault(img_id, mark) != mark:
                    self.report_problem(
                        f'{path} marks {img_id} by both {found[img_id]} and {mark}: keep one line.'
                    )
            for img_id, mark in found.items():
                if mark:
                    labels[mark][img_id].append(label)
            lacking = [one for one in img_ids if one not in found]
            if lacking and self.supervision != 'none':
                self.suspect(LACKING, f'{path}, which lacks {lacking[0]}')
        return labels['1'], labels['0']

    def _compare_tags(self, info: dict) -> None:
        """Compare the classes of the boxes with the lists; difficult ones may be in neither."""
        boxes = info['instances']
        clear, boxed = (
            {one['bbox_label'] for one in boxes if one['ignore_flag'] <= i} for i in (0, 1)
        )
        tags = {*info['tags']}
        wrong = [*(clear - tags), *(tags - boxed)]
        if wrong:
            name = self.classes[wrong[0]]
            where = 'only the XML' if wrong[0] in boxed else 'only the lists'
            if wrong[0] in info['ignored_tags']:
                where = 'the XML without difficult=1, but marked 0 in the lists'
            self.suspect(OTHER_CLASSES, f'{info["img_id"]}: {name} is in {where}')

    def _read_annotation(self, img_id: str) -> dict:
        """Read size and boxes of one image."""
        path = self._path('Annotations', f'{img_id}.xml')
        try:
            with explain_read_errors(path, 'a VOC annotation', 'restore it, or set data_root'):
                root = ET.fromstring(read_file(path))
            kind = other_format(root)
            if kind:
                raise UserError(
                    f'{path} is no VOC annotation ({kind}): export the labels as PASCAL VOC.'
                )
            width, height = (
                child_number(root, f'size/{key}', path) for key in ('width', 'height')
            )
            if min(width, height) < 1:
                raise UserError(f'{path} says {width:g} x {height:g} pixels: fix the size.')
            found = root.findall('object')
            if len(found) < len(list(root.iter('object'))):
                raise UserError(
                    f'{path} has objects within another element: move them to its root.'
                )
            self._compare_name(root, img_id, path)
            objects = [self._parse_object(one, path) for one in found]
            for element in found:
                for kind, mark in unread_marks(marks_of(element), ('difficult',)):
                    self.suspect(kind, f'{mark} in {path}')
            for i, one in enumerate(objects):
                if one in objects[:i]:
                    self.suspect(TWICE, f'{path}: object {i + 1}')
                self._clip(one, width, height, path)
            return {
                'height': int(height),
                'width': int(width),
                'instances': [one for one in objects if one['bbox_label'] >= 0],
            }
        except UserError as error:
            self.report_problem(str(error))
        return {'instances': []}

    def _compare_name(self, root: ET.Element, img_id: str, path: str) -> None:
        """Compare the image that an XML names with its own name, but for case and suffix."""
        given = re.split(r'[/\\]', (root.findtext('filename') or '').strip())[-1]
        if given and _plain(osp.basename(img_id)) not in map(
            _plain, (given, osp.splitext(given)[0])
        ):
            self.suspect(OTHER_NAME, f'{path}: {given}')

    def _clip(self, instance: dict, width: float, height: float, path: str) -> None:
        """Clip a box that ends one or two pixels beyond the image, but not by a fraction."""
        x1, y1, x2, y2 = instance['bbox']
        beyond = max(-x1, -y1, x2 + 1 - width, y2 + 1 - height)
        place = f'a box from ({x1 + 1:g}, {y1 + 1:g}) to ({x2 + 1:g}, {y2 + 1:g})'
        if beyond > TOLERANCE or x1 >= width or y1 >= height or x2 <= -1 or y2 <= -1:
            raise UserError(
                f'{path} has {place}, beyond the photo of {width:g} x {height:g} pixels: fix the '
                'box or the size.'
            )
        if beyond >= 1:
            instance['bbox'] = [max(x1, 0), max(y1, 0), min(x2, width - 1), min(y2, height - 1)]
            self.suspect(BEYOND, f'{place} in {path}')

    def _parse_object(self, element: ET.Element, path: str) -> dict:
        """Convert a box from 1-based to 0-based pixels; label -1 if a config leaves it out."""
        classes = self.known_classes
        found = ' '.join((child_text(element, 'name', path) or '').split())
        same = [one for one in classes if one.casefold() == found.casefold()]
        name = found if found in same else ''.join(same[:1])
        if not same or (name != found and len(same) > 1):
            near = nearest_name(found, classes)
            raise UserError(
                f'{path} has an object with the name {found!r}, which is no class: '
                + (f'did you mean {near!r}?' if near else f'use {", ".join(classes)}.')
            )
        x1, y1, x2, y2 = (child_number(element, key, path) for key in BOX)
        if x2 < x1 or y2 < y1:
            raise UserError(
                f'{path} has the box of a {name} from ({x1:g}, {y1:g}) to ({x2:g}, {y2:g}), which '
                'ends before it begins: exchange the corners.'
            )
        if max(x2, y2) <= 1 and x1 + y1 < 2:
            raise UserError(
                f'{path} has the box of a {name} in fractions of 1: multiply it by the width and '
                'height.'
            )
        difficult = (child_text(element, 'difficult', path) or '0').strip()
        if difficult not in ('0', '1'):
            raise UserError(f'{path} has difficult={difficult!r} for a {name}: write 0 or 1.')
        chosen = self.classes
        return {
            'bbox': [x1 - 1, y1 - 1, x2 - 1, y2 - 1],
            'bbox_label': chosen.index(name) if name in chosen else -1,
            'ignore_flag': int(difficult),
        }

    def _find_masks(self, img_id: str) -> dict:
        """Find the masks of one image, if it has both."""
        class_mask = self._path('SegmentationClass', f'{img_id}.png')
        object_mask = self._path('SegmentationObject', f'{img_id}.png')
        present = [path for path in (class_mask, object_mask) if osp.exists(path)]
        if len(present) < 2:
            if present:
                self.suspect(ONE_MASK, present[0])
            for path in (class_mask, object_mask):
                others = (f'{path[:-3]}{suffix}' for suffix in OTHER_MASKS)
                for other in filter(osp.exists, others):
                    self.report_problem(f'The mask {other} is no PNG: save it as {path}.')
            return {}
        values = {name: value for value, name in enumerate(self.classes, start=1)}
        return {
            'seg_map_path': class_mask,
            'instance_map_path': object_mask,
            'seg_label_map': [0, *(values.get(name, 0) for name in self.known_classes)],
        }


def _plain(name: str) -> str:
    return unicodedata.normalize('NFC', name).casefold()
