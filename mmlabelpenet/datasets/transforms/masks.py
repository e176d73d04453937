"""Loading ground-truth masks."""

from dataclasses import dataclass

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmdet.structures.bbox import bbox_overlaps
from mmengine.structures import InstanceData
from pycocotools import mask as mask_utils

from mmlabelpenet.registry import TRANSFORMS
from mmlabelpenet.utils import UserError, explain_read_errors

from ..devkit import VOID, read_mask
from ..tagged import warn_of_first

# In a photo of VOC 2012, the best pair of a box and an object's mask overlaps by at least .38.
MIN_IOU = 0.3
APART = (
    '{path} shows all objects elsewhere than the boxes of the photo: measurements use both as '
    'they are; make sure that masks and boxes are of one photo, and not mirrored.'
)


UNBOXED = (
    '{path} shows a class of which the photo has no box: measurements of masks use it, those of '
    'boxes do not; add its boxes, or remove it from the mask.'
)


@TRANSFORMS.register_module()
@dataclass(eq=False)
class LoadInstanceMasks(BaseTransform):
    """Read the ground-truth instance and class masks of an image, in its original size.

    Place it after Resize: like all ground truth of test pipelines, masks keep the image's
    original size. Without masks of the image it does nothing.

    Masks come from two index masks as in VOC, or from polygons or run lengths as in COCO. In the
    index masks, an instance is the set of pixels with one value in the instance mask, with one
    class in the class mask. Values 0 (background) and 255 (void) are no instances; in a mask of
    16 bits, 255 is an instance like any other.

    Required Keys:

    - seg_map_path, instance_map_path (str, optional), and with these
    - seg_label_map (list[int]): the value in this data set of each class value below void
    - or with_masks (bool), ori_shape, and instances (list[dict]), of which those with a
      ``mask`` are used

    Added Keys:

    - gt_mask_instances (InstanceData): ``labels`` [G] int64; ``masks``, a list of G COCO RLE
      dicts of the image's size; ``bboxes`` [G, 4] float32, tight xyxy, x2 and y2 exclusive
    - gt_seg_map (np.uint8): [H, W], 0 = background, class c -> c + 1, 255 = void

    Raises:
        UserError: If a mask can't be read, has another size than the image, or an unknown class,
            or if index masks do not show the classes of the image's boxes.
    """

    def transform(self, results: dict) -> dict:
        """Add the masks to ``results``."""
        if 'instance_map_path' in results:
            self._from_index_masks(results)
        elif results.get('with_masks'):
            self._from_polygons(results)
        return results

    def _from_index_masks(self, results: dict) -> None:
        seg_map = read_mask(results['seg_map_path'])
        instance_map = read_mask(results['instance_map_path'])
        if seg_map.shape != instance_map.shape:
            raise UserError(
                f'{results["seg_map_path"]} and {results["instance_map_path"]} differ in size: '
                'unpack the data set again.'
            )
        size = results.get('ori_shape', seg_map.shape)[:2]
        if seg_map.shape != tuple(size):
            raise UserError(
                f'{results["seg_map_path"]} has {seg_map.shape[1]} x {seg_map.shape[0]} pixels, '
                f'but the photo has {size[1]} x {size[0]}: restore the mask.'
            )
        labels = results['seg_label_map']
        unknown = seg_map[(seg_map >= len(labels)) & (seg_map != VOID)]
        if unknown.size:
            raise UserError(
                f'{results["seg_map_path"]} has the value {unknown[0]}, but classes have values '
                f'from 1 to {len(labels) - 1}: use a data set with its classes, or fix the mask.'
            )
        _require_roles(results, seg_map, instance_map)
        lookup: np.ndarray = np.zeros(256, dtype=np.uint8)
        lookup[: len(labels)] = labels
        lookup[VOID] = VOID
        results['gt_seg_map'] = lookup[seg_map]
        found = split_instances(instance_map, results['gt_seg_map'])
        results['gt_mask_instances'] = found
        if are_apart(results):
            warn_of_first(APART, results['instance_map_path'])

    def _from_polygons(self, results: dict) -> None:
        objects = [one for one in results['instances'] if 'mask' in one]
        # Offline evaluation loads no image; it uses the size in the annotation.
        size = tuple(results.get('ori_shape', (results['height'], results['width']))[:2])
        rles = [annotation_rle(one['mask'], size, results['img_path']) for one in objects]
        results['gt_seg_map'] = _paint_classes(objects, rles, size)
        kept = [index for index, one in enumerate(objects) if not one['ignore_flag']]
        labels = torch.tensor([objects[i]['bbox_label'] for i in kept], dtype=torch.long)
        results['gt_mask_instances'] = _pack_instances(labels, [rles[i] for i in kept])


def _require_roles(results: dict, seg_map: np.ndarray, instance_map: np.ndarray) -> None:
    """Require that the class mask shows classes of the boxes, and is not the instance mask."""
    boxes = [one for one in results.get('instances', ()) if not one['ignore_flag']]
    boxed = {one['bbox_label'] + 1 for one in results.get('instances', ())}
    values, ids = _values(seg_map), _values(instance_map)
    names = dict(enumerate(results['seg_label_map']))
    shown, as_classes = ({names.get(value, 0) for value in one} for one in (values, ids))
    seg_path, path = results['seg_map_path'], results['instance_map_path']
    if ids and as_classes <= boxed and not shown - {0} <= boxed:
        raise UserError(
            f'{path} has the classes of the boxes as values, and {seg_path} has not: exchange the '
            'class mask and the object mask.'
        )
    if boxed and shown - {0} and not shown & boxed:
        raise UserError(
            f"{seg_path} shows no class of the photo's boxes: take masks and boxes of one photo, "
            'and a class mask that is no object mask.'
        )
    if 'instances' in results and shown - {0} - boxed:
        warn_of_first(UNBOXED, seg_path)
    # The numbers of objects begin at 1.
    if len(boxes) > len(ids) < max(ids, default=0) and np.array_equal(seg_map, instance_map):
        raise UserError(
            f'{path} is a copy of the class mask, but the photo has {len(boxes)} boxes: give each '
            'object its own value.'
        )

    _require_objects(seg_map, instance_map, len(boxes), f'{seg_path} and {path}')


def _require_objects(
    seg_map: np.ndarray, instance_map: np.ndarray, num_boxes: int, paths: str
) -> None:
    """Require that masks of a photo with boxes have objects, and these one class each."""
    is_object = (instance_map > 0) & ((instance_map != VOID) | (instance_map.dtype != np.uint8))
    shown = (seg_map > 0) & (seg_map != VOID) & is_object
    pairs = np.unique(instance_map[shown].astype(np.int64) * 256 + seg_map[shown])
    if num_boxes and not len(pairs):
        raise UserError(
            f'{paths} show no object with a class, but the photo has boxes ({num_boxes} in all): '
            'give each object its number and its class (0 is background, 255 is void), or remove '
            'both masks.'
        )
    twice = np.flatnonzero(np.diff(pairs // 256) == 0)
    if twice.size:
        numbers, classes = divmod(pairs[twice[0] : twice[0] + 2], 256)
        raise UserError(
            f'{paths} give object {numbers[0]} the classes {classes[0]} and {classes[1]}: give '
            'each object its own number.'
        )


def are_apart(results: dict) -> bool:
    """Whether no object of index masks is where a box of the photo is.

    Args:
        results: With ``instances`` and ``gt_mask_instances``, see :class:`LoadInstanceMasks`.
    """
    boxes = [one['bbox'] for one in results.get('instances', ()) if not one['ignore_flag']]
    found = results['gt_mask_instances'].bboxes
    if not boxes or not len(found):
        return False
    given = torch.tensor(boxes, dtype=torch.float32)
    # The boxes' corners are inclusive.
    given[:, 2:] += 1
    return bool(bbox_overlaps(given, found).max() < MIN_IOU)


def _values(mask: np.ndarray) -> set[int]:
    """The values of a mask that are neither background nor void."""
    is_short = mask.dtype == np.uint8
    found = np.flatnonzero(np.bincount(mask.ravel())) if is_short else np.unique(mask)
    return {*found.tolist()} - {0, VOID}


def annotation_rle(mask: list | dict, size: tuple[int, int], img_path: str) -> dict:
    """Convert COCO's polygons or run lengths to compressed run lengths."""
    with explain_read_errors(
        f'A mask of {img_path}', 'polygons or run lengths', 'fix the annotation'
    ):
        if isinstance(mask, list):
            return mask_utils.merge(mask_utils.frPyObjects(mask, *size))
        counts = mask['counts']
        if isinstance(counts, list):
            return mask_utils.frPyObjects(mask, *size)
        return {**mask, 'counts': counts.encode() if isinstance(counts, str) else counts}


def _paint_classes(objects: list[dict], rles: list[dict], size: tuple[int, int]) -> np.ndarray:
    """[H, W] uint8: class c -> c + 1, smaller objects above larger ones, crowds void."""
    painted: np.ndarray = np.zeros(size, dtype=np.uint8)
    for index in np.argsort([-int(mask_utils.area(rle)) for rle in rles], kind='stable'):
        one = objects[index]
        inside = mask_utils.decode(rles[index]).astype(bool)
        painted[inside] = VOID if one['ignore_flag'] else one['bbox_label'] + 1
    return painted


def _pack_instances(labels: torch.Tensor, rles: list[dict]) -> InstanceData:
    """Instances with the tight boxes of their masks."""
    boxes = np.asarray(mask_utils.toBbox(rles) if len(rles) else [], dtype=np.float32)
    boxes = boxes.reshape(-1, 4)
    # toBbox gives x, y, width, height, so that x + width is exclusive.
    boxes[:, 2:] += boxes[:, :2]
    return InstanceData(labels=labels, masks=rles, bboxes=torch.from_numpy(boxes))


def split_instances(instance_map: np.ndarray, seg_map: np.ndarray) -> InstanceData:
    """Split an instance mask into instances.

    Args:
        instance_map: [H, W] uint8, 0 = background, 255 = void, else an instance's id; or of more
            bits, 0 = background, else an id.
        seg_map: [H, W] uint8, 0 = background, class c -> c + 1, 255 = void.

    Returns:
        G instances by rising id, with the fields that :class:`LoadInstanceMasks` describes.
    """
    values, number = np.arange(256), instance_map
    if instance_map.dtype != np.uint8:
        values, number = np.unique(instance_map, return_inverse=True)
    # counts[i, s]: pixels of instance i with class value s.
    joint = number.reshape(instance_map.shape).astype(np.int64) * 256 + seg_map
    counts = np.bincount(joint.ravel(), minlength=len(values) * 256).reshape(-1, 256)
    counts[:, VOID] = 0
    majority = counts.argmax(axis=1)
    is_void = values == (VOID if instance_map.dtype == np.uint8 else 0)
    kept = (majority > 0) & (values > 0) & ~is_void
    ids = values[kept]
    rles = mask_utils.encode(np.asfortranarray(instance_map[..., None] == ids, dtype=np.uint8))
    return _pack_instances(torch.from_numpy(majority[kept] - 1), rles)
