"""Loading images, proposals and instance masks."""

import zlib

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmengine.fileio import get
from mmengine.structures import InstanceData
from pycocotools import mask as mask_utils

from mmlabelpenet.proposals import image_proposal_path, read_proposals
from mmlabelpenet.registry import TRANSFORMS
from mmlabelpenet.utils import UserError, decode_image, read_image_bytes

from ..devkit import VOID, read_mask


@TRANSFORMS.register_module()
class LoadImageFromFile(BaseTransform):
    """Read an image exactly as its proposals were made from it: see :func:`decode_image`.

    It bears the name of mmcv's transform, and takes its place in this package's scope, so that
    configs and tools that were written for that one work with images of any kind.

    Required Keys:

    - img_path (str)

    Added Keys:

    - img (np.uint8): [H, W, 3] BGR, upright
    - img_shape, ori_shape (tuple): (h, w)
    - image_crc (int): CRC-32 of the file

    Args:
        to_float32: Whether ``img`` shall be float32.
        backend_args: Of mmengine's file storage; None reads local files.

    Raises:
        UserError: If the image is missing, cut off, damaged or none.
    """

    def __init__(self, to_float32: bool = False, backend_args: dict | None = None) -> None:
        self.to_float32 = to_float32
        self.backend_args = backend_args

    def transform(self, results: dict) -> dict:
        """Add the image to ``results``."""
        path = results['img_path']
        local = self.backend_args is None
        data = read_image_bytes(path) if local else get(path, backend_args=self.backend_args)
        img = decode_image(data, path)
        results['img'] = img.astype(np.float32) if self.to_float32 else img
        results['img_shape'] = results['ori_shape'] = img.shape[:2]
        results['photo_crc'] = zlib.crc32(data)
        return results

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(to_float32={self.to_float32}, '
            f'backend_args={self.backend_args})'
        )


@TRANSFORMS.register_module()
class LoadRegionProposals(BaseTransform):
    """Read an image's proposals from ``{proposal_root}/{dataset_name}/{image}.npz``.

    mmdet's ``ProposalBroadcaster`` then carries them through Resize and RandomFlip.

    Required Keys:

    - img_id (str), or image_id (str) where proposals go by another name than results
    - dataset_name (str)
    - ori_shape (tuple): (h, w) of the image, so that it must be loaded before
    - image_crc (int, optional): CRC-32 of the image's file

    Added Keys:

    - proposals (np.float32): [N, 4] xyxy in the image's pixels, x2 and y2 exclusive
    - proposals_scores (np.float32): [N] zeros: nothing is known of them yet

    Args:
        proposal_root: Folder with one folder per data set.
        max_num: Take only the first so many; all where None.

    Raises:
        UserError: If the file is missing, broken, or made for another image, be it of another
            size or of other content.
    """

    def __init__(self, proposal_root: str, max_num: int | None = None) -> None:
        self.proposal_root = proposal_root
        self.max_num = max_num

    def transform(self, results: dict) -> dict:
        """Add the image's proposals to ``results``."""
        path = image_proposal_path(self.proposal_root, results)
        size, crc = tuple(results['ori_shape'][:2]), results.get('photo_crc', 0)
        proposals = read_proposals(path, size, self.max_num, crc)
        results['proposals'] = proposals.bboxes.astype(np.float32)
        results['proposals_scores'] = np.zeros(len(proposals), dtype=np.float32)
        return results

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(proposal_root={self.proposal_root!r}, max_num={self.max_num})'
        )


@TRANSFORMS.register_module()
class LoadInstanceMasks(BaseTransform):
    """Read the true instance and class masks of an image, in its own pixels.

    Place it after Resize: like all ground truth of test pipelines it stays in the image's
    pixels. Does nothing where the data set names no mask for the image.

    Masks come from two maps as in VOC, or from polygons or run lengths as in COCO. In the maps
    an instance is the set of pixels with one value in the instance map; its class is that of
    most of its pixels in the class map. Values 0 (background) and 255 (void) are none.

    Required Keys:

    - seg_map_path, instance_map_path (str, optional), and with these
    - seg_label_map (list[int]): of each class value below void this data set's value
    - or with_masks (bool), ori_shape, and instances (list[dict]), of which those with a
      ``mask`` count

    Added Keys:

    - gt_mask_instances (InstanceData): ``labels`` [G] int64; ``masks``, a list of G COCO RLE
      dicts of the image's size; ``bboxes`` [G, 4] float32, tight xyxy, x2 and y2 exclusive
    - gt_seg_map (np.uint8): [H, W], 0 = background, class c -> c + 1, 255 = void

    Raises:
        UserError: If a mask can't be read.
    """

    def transform(self, results: dict) -> dict:
        """Add the masks to ``results``."""
        if 'instance_map_path' not in results:
            return self._from_polygons(results)
        seg_map = read_mask(results['seg_map_path'])
        instance_map = read_mask(results['instance_map_path'])
        if seg_map.shape != instance_map.shape:
            raise UserError(
                f'{results["seg_map_path"]} and {results["instance_map_path"]} differ in size: '
                'unpack the data set again.'
            )
        lookup: np.ndarray = np.zeros(256, dtype=np.uint8)
        label_map = results['seg_label_map']
        lookup[: len(label_map)] = label_map
        lookup[VOID] = VOID
        results['gt_seg_map'] = lookup[seg_map]
        results['gt_mask_instances'] = split_instances(instance_map, results['gt_seg_map'])
        return results

    def _from_polygons(self, results: dict) -> dict:
        if results.get('with_masks'):
            objects = [one for one in results['instances'] if 'mask' in one]
            # Offline evaluation loads no image: the annotation's size stands in.
            size = tuple(results.get('ori_shape', (results['height'], results['width']))[:2])
            rles = [_to_rle(one['mask'], size, results['img_path']) for one in objects]
            results['gt_seg_map'] = _paint_classes(objects, rles, size)
            kept = [index for index, one in enumerate(objects) if not one['ignore_flag']]
            labels = torch.tensor([objects[i]['bbox_label'] for i in kept], dtype=torch.long)
            results['gt_mask_instances'] = _pack_instances(labels, [rles[i] for i in kept])
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}()'


def _to_rle(mask: list | dict, size: tuple[int, int], img_path: str) -> dict:
    """COCO's polygons, or run lengths, as compressed run lengths."""
    try:
        if isinstance(mask, list):
            return mask_utils.merge(mask_utils.frPyObjects(mask, *size))
        if isinstance(mask['counts'], list):
            return mask_utils.frPyObjects(mask, *size)
        counts = mask['counts']
        return {**mask, 'counts': counts.encode() if isinstance(counts, str) else counts}
    # pycocotools raises bare exceptions
    except Exception as error:
        raise UserError(
            f'A mask of {img_path} is neither polygons nor run lengths ({error}): mend the '
            'annotation.'
        ) from None


def _paint_classes(objects: list[dict], rles: list[dict], size: tuple[int, int]) -> np.ndarray:
    """[H, W] uint8: class c -> c + 1, smaller objects above larger ones, crowds void."""
    painted: np.ndarray = np.zeros(size, dtype=np.uint8)
    for index in np.argsort([-int(mask_utils.area(rle)) for rle in rles], kind='stable'):
        one = objects[index]
        inside = mask_utils.decode(rles[index]).astype(bool)
        painted[inside] = VOID if one['ignore_flag'] else one['bbox_label'] + 1
    return painted


def _pack_instances(labels: torch.Tensor, rles: list[dict]) -> InstanceData:
    """Instances with tight boxes of their masks."""
    # toBbox gives x, y, width, height, so that x + width is exclusive.
    boxes = np.asarray(mask_utils.toBbox(rles) if len(rles) else [], dtype=np.float32)
    boxes = boxes.reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    return InstanceData(labels=labels, masks=rles, bboxes=torch.from_numpy(boxes))


def split_instances(instance_map: np.ndarray, seg_map: np.ndarray) -> InstanceData:
    """Take an instance map apart.

    Args:
        instance_map: [H, W] uint8, 0 = background, 255 = void, else an instance's id.
        seg_map: [H, W] uint8, 0 = background, class c -> c + 1, 255 = void.

    Returns:
        G instances as :class:`LoadInstanceMasks` describes them, by rising id.
    """
    # counts[i, s]: pixels of instance i with class value s.
    joint = instance_map.astype(np.int64) * 256 + seg_map
    counts = np.bincount(joint.ravel(), minlength=65536).reshape(256, 256)
    counts[:, VOID] = 0
    majority = counts.argmax(axis=1)
    ids = np.arange(256)
    ids = ids[(ids > 0) & (ids < VOID) & (majority > 0)]
    masks = instance_map[..., None] == ids
    rles = mask_utils.encode(np.asfortranarray(masks.astype(np.uint8)))
    return _pack_instances(torch.from_numpy(majority[ids] - 1), rles)
