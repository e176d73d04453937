"""Data sets in COCO's JSON format, with tags for training, boxes and masks for testing."""

import gc
import os
import os.path as osp
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from logging import WARNING
from typing import Any

from mmengine.logging import print_log

from mmlabelpenet.registry import DATASETS
from mmlabelpenet.utils import UserError

from .coco_file import COCOFile, COCOImage, COCOObject
from .metainfo import class_metainfo
from .tagged import TaggedDataset


@contextmanager
def _paused_gc() -> Iterator[None]:
    """Pause garbage collection, which takes longer than the reading of a large file."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@DATASETS.register_module()
class COCOInstanceDataset(TaggedDataset):
    """COCO, or any data set whose annotations are in one JSON file of its format.

    The classes are those of the file, in the order of their ids. Each image has

    - ``img_id``: COCO's number; ``photo_id``: the path below ``data_root`` without suffix, by
      which its proposals are stored; ``img_path``, ``dataset_name`` (the folder's name),
      ``num_classes``, ``height``, ``width``;
    - ``tags``: sorted labels of the classes that have an annotation;
    - ``ignored_tags``: those that have only annotations with ``iscrowd`` or ``ignore``;

    and with ``supervision='full'`` also ``instances``: dicts of ``bbox`` (xyxy, 0-based, both
    corners inclusive, as in all data sets of this package), ``bbox_label``, ``ignore_flag`` (1 =
    crowd, or without area) and ``mask`` (polygons or run lengths); ``with_masks``: whether objects
    have masks; ``annotated_size``: (height, width), which the photo must have.

    With ``supervision='tags'``, only the image, the class and the crowd flag of an annotation
    are read; with ``'none'`` no annotation, and the file needs none.

    Args:
        data_root: Folder that all other paths are relative to, e.g. ``data/coco``.
        ann_file: The JSON file.
        data_prefix: Folder of the images, or a dict with it as ``img``.
        metainfo: ``classes`` in another order, or some of them.
        **kwargs: Of :class:`TaggedDataset`.

    Raises:
        UserError: If the file or an image is missing, or something in the file has no clear
            meaning, see :class:`COCOFile`.
    """

    METAINFO = {'classes': (), 'palette': [], 'dataset_type': 'COCO'}
    REMEDY = 'put it there, or set data_root, ann_file and data_prefix in the config'
    UNREAD: Mapping[str, str] = {'proposal_file': 'proposal_root of the config'}

    def __init__(
        self,
        data_root: str,
        ann_file: str,
        data_prefix: Mapping | None = None,
        metainfo: Mapping | None = None,
        **kwargs: Any,
    ) -> None:
        if not isinstance(ann_file, str) or not ann_file:
            raise UserError(
                f'COCOInstanceDataset has ann_file={ann_file!r}: set it to the JSON file of '
                f'annotations in {data_root}, such as annotations/instances_train2017.json.'
            )
        path = osp.join(data_root, ann_file)
        with _paused_gc():
            self._file = COCOFile(path)
        names = [*self._file.categories.values()]
        super().__init__(
            data_root=data_root,
            ann_file=ann_file,
            data_prefix={'img': _image_folder(data_prefix, path)},
            metainfo=class_metainfo(names, metainfo, path),
            **kwargs,
        )

    @_paused_gc()
    def load_data_list(self) -> list[dict]:
        """Convert the content of the JSON file.

        Returns:
            One dict per image, in the order of the file.
        """
        root, full = self.data_prefix['img'], self.supervision == 'full'
        found = self._file.images(self.report_problem, self.is_skipped, root)
        if self.supervision != 'none':
            self._file.annotate(found, self.report_problem, self.suspect, full)
        # Every worker would get a copy of this, which is as large as the file.
        self._file.forget()
        images = [one for one in found.values() if not self.is_skipped(one.name)]
        paths = self.find_images(root, [one.name for one in images], self.ann_file)
        labels = {name: label for label, name in enumerate(self.classes)}
        with_masks = full and self._has_masks(images, labels)
        return [self._info(one, paths[one.name], labels, with_masks) for one in images]

    def _info(
        self, image: COCOImage, path: str, labels: Mapping[str, int], with_masks: bool
    ) -> dict:
        """Describe an image; objects of other classes are left out."""
        known = [(labels[one.category], one) for one in image.objects if one.category in labels]
        info = {
            'img_id': image.img_id,
            'photo_id': osp.splitext(osp.normpath(osp.join(self._prefix, image.name)))[0],
            'img_path': path,
            'dataset_name': self.dataset_name,
            'num_classes': len(labels),
            'height': image.size[0],
            'width': image.size[1],
            **_tags(known),
        }
        if self.supervision == 'full':
            info['instances'] = [_instance(label, one) for label, one in known]
            info['with_masks'] = with_masks
            info['annotated_size'] = image.size
        return info

    @cached_property
    def _prefix(self) -> str:
        """The folder of the images below ``data_root``."""
        prefix = osp.relpath(self.data_prefix['img'], self.data_root)
        # Proposals of images outside data_root are stored in the data set's folder as well.
        outside = prefix.split(os.sep)[0] == os.pardir
        return osp.basename(osp.abspath(self.data_prefix['img'])) if outside else prefix

    def _has_masks(self, images: Sequence[COCOImage], classes: Container[str]) -> bool:
        """Whether all objects have masks; if only some do, masks cannot be measured."""
        objects = [(image.name, one) for image in images for one in image.objects]
        objects = [(name, one) for name, one in objects if one.category in classes]
        masked = [(name, one) for name, one in objects if one.geometry.mask is not None]
        bare = [name for name, one in objects if one.geometry.mask is None and not one.crowd]
        if bare and masked:
            sentence = (
                f'{self.ann_file} has no mask of {len(bare)} of {len(objects)} objects (such as '
                f'one in {bare[0]}): masks are not measured until these are added.'
            )
            if self.strict:
                print_log(sentence, logger='current', level=WARNING)
            else:
                self.report_problem(sentence)
        return bool(masked) and not bare


def _image_folder(data_prefix: Any, path: str) -> str:
    """The folder of images; a text names it, too."""
    given = data_prefix or ''
    img = given.get('img') if isinstance(given, Mapping) else given
    if not isinstance(img, str) or (isinstance(given, Mapping) and len(given) > 1):
        raise UserError(
            f'The data set of {path} has data_prefix={given!r}: write '
            "data_prefix=dict(img='...') with the folder of the photos below data_root."
        )
    return img


def _tags(objects: Sequence[tuple[int, COCOObject]]) -> dict:
    """Tags of an image; classes with crowds only are ignored."""
    tags = {label for label, one in objects if not one.crowd}
    crowds = {label for label, one in objects if one.crowd}
    return {'tags': sorted(tags), 'ignored_tags': sorted(crowds - tags)}


def _instance(label: int, one: COCOObject) -> dict:
    """An object with its box, both corners inclusive; an object without area is ignored."""
    x, y, width, height = one.geometry.bbox
    flat = one.geometry.flat
    instance = {
        'bbox': [x, y, x + max(width, 1) - 1, y + max(height, 1) - 1],
        'bbox_label': label,
        'ignore_flag': int(one.crowd or flat),
    }
    if one.geometry.mask is not None:
        instance['mask'] = one.geometry.mask
    return instance
