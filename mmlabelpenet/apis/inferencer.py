"""Inference with a trained cascade on any images."""

import json
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmdet.apis import DetInferencer
from mmdet.structures import DetDataSample
from mmdet.visualization.palette import get_palette
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.structures import PixelData
from torch import nn

from mmlabelpenet.models import LABELS
from mmlabelpenet.models.detectors import paint_semantic_map
from mmlabelpenet.registry import TRANSFORMS
from mmlabelpenet.structures import Evidence
from mmlabelpenet.utils import (
    UserError,
    register_all_modules,
    require_writable,
    to_rles,
    trust_files,
    write_bytes,
)
from mmlabelpenet.visualization import (
    Style,
    compose_panels,
    let_matplotlib_write,
    paint_run_lengths,
    require_display,
    save_picture,
    without_masks,
)

from .building import explain_build_errors, inferred_config, require_device
from .checkpoint import load_weights, read_checkpoint
from .classes import metainfo_of
from .image_inputs import (
    ShortDict,
    Tags,
    describe_images,
    labels_of,
    per_image_tags,
    require_keywords,
    require_one_each,
)
from .images import ImageInput, list_images
from .pipeline import choose_stage, set_proposals, source_of, test_pipeline_of
from .published import find_weights

PALETTES = ('none', 'coco', 'voc', 'citys', 'random')


class LabelPEnetInferencer(DetInferencer):
    """mmdet's inferencer for a cascade, with proposals, tags and stages.

    Results are mmdet's: a dict of ``predictions`` (dicts of labels, scores, bboxes and, if
    the stage makes them, masks as run lengths; or data samples) and ``visualization``. Boxes and
    masks are in the image's own pixels; an image's result does not depend on its batch.

    Args:
        model: A config, its file or the name of a published model; None takes what weights hold.
        weights: The checkpoint; None takes that of the published model.
        device: Device to run on; None takes a GPU if there is one.
        stage: Stage whose result is given: one of the cascade, or ``'attention'`` or
            ``'calibration'`` for the pseudo instances of tagged images; None keeps that of the
            config.
        proposal_root: Folder of stored proposals.
        quality: Of Selective Search, ``'fast'`` or ``'quality'``.
        palette: Colours of the classes as in mmdet: ``'none'`` (those of the data set),
            ``'coco'``, ``'voc'``, ``'citys'`` or ``'random'``.
        show_progress: Whether to show a progress bar.
        trust_checkpoint: Whether to load a checkpoint that holds more than weights and plain data,
            or a config with code. It can then run any code on this machine.
        proposals: Where proposals come from: ``'learned'`` (the model makes them), ``'stored'``
            (in ``proposal_root``) or ``'search'`` (Selective Search). None takes stored ones if
            there is a ``proposal_root``, else learned ones if the model has learned any, else it
            searches.
        panels: Whether pictures show the whole way of an image to its result, as those of a test
            do: its proposals and attention and, if it has tags, the labels of each stage.

    Raises:
        UserError: If the config or the checkpoint is missing, they do not fit, or the model has
            no such stage.

    Example:
        >>> inferencer = LabelPEnetInferencer('config.py', 'epoch_7.pth')
        >>> inferencer('images/', tags=['dog', 'chair'])['predictions'][0]['scores']
    """

    forward_kwargs = {'score_thr'}

    def __init__(
        self,
        model: str | Path | Config | None = None,
        weights: str | Path | None = None,
        device: str | None = None,
        stage: str | None = None,
        proposal_root: str | None = None,
        quality: str = 'fast',
        palette: str = 'none',
        show_progress: bool = True,
        trust_checkpoint: bool = False,
        proposals: str | None = None,
        panels: bool = False,
    ) -> None:
        if weights is None:
            model, weights = None, find_weights(model)
        if palette not in PALETTES:
            known = ', '.join(PALETTES)
            raise UserError(f'There is no palette {palette!r}: choose one of {known}.')
        if device is not None:
            require_device(device)
        register_all_modules()
        self._weights, self.panels = str(weights), panels
        with trust_files(trust_checkpoint):
            self._checkpoint = read_checkpoint(self._weights)
            cfg = inferred_config(model, self._checkpoint, self._weights)
        self.stage = choose_stage(cfg, stage)
        pipeline = test_pipeline_of(cfg)
        set_proposals(
            pipeline,
            type='ProvideRegionProposals',
            source=source_of(cfg, proposals, proposal_root),
            proposal_root=proposal_root,
            quality=quality,
        )
        self._metainfo = metainfo_of(cfg, self._checkpoint)
        if palette != 'none':
            self._metainfo['palette'] = palette
        let_matplotlib_write(self._metainfo['classes'])
        if cfg.get('classes_from_data'):  # the data may be missing here
            cfg.model.num_classes = len(self._metainfo['classes'])
        cfg.test_dataloader = dict(dataset=dict(pipeline=pipeline))
        # pictures are saved by this class, not by the visualizer's backends
        cfg.visualizer = dict(type='InstanceVisualizer', name='inferencer')
        with explain_build_errors(model if isinstance(model, str | Path) else self._weights):
            super().__init__(cfg, None, device, 'mmlabelpenet', show_progress=show_progress)
        del self._checkpoint
        self.load_image = TRANSFORMS.build(pipeline[0])

    def _load_weights_to_model(self, model: nn.Module, checkpoint: None, cfg: Config) -> None:
        """Load weights, classes and palette; called by mmengine."""
        load_weights(model, self._weights, self._checkpoint)
        model.dataset_meta = self._metainfo

    def _init_pipeline(self, cfg: Config) -> Compose:
        """Build the transforms that follow after loading the image; called by mmengine."""
        return Compose(cfg.test_dataloader.dataset.pipeline[1:])

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""
        return tuple(self.model.dataset_meta['classes'])

    def __call__(
        self,
        inputs: ImageInput | Sequence,
        tags: Tags | Sequence[Tags] | None = None,
        proposals: np.ndarray | Sequence[np.ndarray] | None = None,
        batch_size: int = 1,
        score_thr: float = 0.0,
        recursive: bool = False,
        **kwargs: Any,
    ) -> dict:
        """Find the instances of images.

        Args:
            inputs: An image's file, a folder of images, a ``file://`` address, an array
                [H, W, 3] uint8 BGR, a PIL image, or a list of these.
            tags: The classes of each image, as names or labels, or one list for all images. Only
                instances of these classes are given.
            proposals: For each image [N, 4] boxes xyxy in its pixels, instead of those that are
                stored or made; an array for a single image.
            batch_size: Images per batch.
            score_thr: Least score of the results; ``pred_score_thr`` is that of the pictures.
            recursive: Whether images in subfolders of a folder are taken too.
            **kwargs: Of mmdet's ``DetInferencer``: ``return_vis``, ``show``, ``wait_time``,
                ``no_save_vis``, ``draw_pred``, ``pred_score_thr``, ``return_datasamples``,
                ``print_result``, ``no_save_pred`` and ``out_dir``, whose folder ``vis`` gets the
                pictures and, unless ``no_save_pred``, ``preds`` the results.

        Returns:
            ``predictions`` and ``visualization``, lists in the order of the images.

        Raises:
            UserError: If a keyword is unknown, an image is missing or damaged, a class is
                unknown, the number of tags or proposals is not that of images, or the stage needs
                tags that are not given.
        """
        require_keywords(kwargs)
        if kwargs.get('show'):
            require_display()
        if kwargs.get('out_dir'):
            require_writable(kwargs['out_dir'], folder=True)
            kwargs.setdefault('no_save_pred', kwargs.get('return_datasamples', False))
        described = describe_images(list_images(inputs, recursive))
        if tags is not None:
            for one, names in zip(described, per_image_tags(tags, len(described))):
                one.update(tags=labels_of(names, self.classes), num_classes=len(self.classes))
        elif self.stage in LABELS:
            raise UserError(f'The stage {self.stage} needs the tags of the photos: give tags.')
        if proposals is not None:
            given = [proposals] if isinstance(proposals, np.ndarray) else list(proposals)
            require_one_each('proposals', given, len(described))
            for one, boxes in zip(described, given):
                one['proposals'] = boxes
        results = super().__call__(described, batch_size=batch_size, score_thr=score_thr, **kwargs)
        if not kwargs.get('return_datasamples'):
            results['predictions'] = [ShortDict(one) for one in results['predictions']]
        return ShortDict(results)

    def preprocess(
        self, inputs: Sequence[dict], batch_size: int = 1, **kwargs: Any
    ) -> Iterator[tuple[list[np.ndarray], dict]]:
        """Load images, add their proposals, and make batches.

        Args:
            inputs: A dict per image with ``img_path`` or ``img``.
            batch_size: Images per batch.
            **kwargs: Unused.

        Yields:
            The images [H, W, 3] of a batch, BGR, and the batch as the model expects it.
        """
        for start in range(0, len(inputs), batch_size):
            loaded = [self._load(one) for one in inputs[start : start + batch_size]]
            images = [one['img'] for one in loaded]
            yield images, self.collate_fn([self.pipeline(one) for one in loaded])

    def _load(self, image: dict) -> dict:
        if 'img' not in image:
            return self.load_image(dict(image))
        shape = image['img'].shape[:2]
        return {**image, 'img_path': None, 'img_shape': shape, 'ori_shape': shape}

    @torch.no_grad()
    def forward(self, inputs: dict, score_thr: float = 0.0, **kwargs: Any) -> list[DetDataSample]:
        """Predict the instances of a batch; of images with tags only those of tagged classes.

        Args:
            inputs: The batch.
            score_thr: Least score of an instance.
            **kwargs: Unused.

        Returns:
            The data samples of the batch.
        """
        samples = super().forward(inputs, **kwargs)
        self._evidence = self.model.explain(inputs) if self.panels else []
        for sample in samples:
            if 'tags' in sample or score_thr > 0:
                found = sample.pred_instances
                kept = found.scores >= score_thr
                if 'tags' in sample:
                    kept &= sample.tags.to(found.labels.device)[found.labels] > 0
                sample.pred_instances = found[kept]
                if 'pred_sem_seg' in sample:
                    painted = paint_semantic_map(sample.pred_instances, size=sample.ori_shape[:2])
                    sample.pred_sem_seg = PixelData(sem_seg=painted[None])
        return samples

    def visualize(
        self,
        inputs: Sequence[np.ndarray],
        preds: Sequence[DetDataSample],
        return_vis: bool = False,
        no_save_vis: bool = False,
        img_out_dir: str = '',
        **kwargs: Any,
    ) -> list[np.ndarray] | None:
        """Paint instances onto images by :class:`InstanceVisualizer`.

        Args:
            inputs: Images [H, W, 3] uint8, BGR.
            preds: Their data samples.
            return_vis: Whether pictures are returned though they are neither shown nor saved.
            no_save_vis: Whether to save no pictures.
            img_out_dir: Pictures are saved in its folder ``vis``; empty saves none.
            **kwargs: Of mmdet's ``DetInferencer.visualize``: ``show``, ``wait_time``,
                ``draw_pred`` and ``pred_score_thr``.

        Returns:
            Pictures [H, W, 3] uint8, RGB; None if they are not needed.
        """
        folder = None if no_save_vis or not img_out_dir else Path(img_out_dir) / 'vis'
        return_vis = return_vis or folder is not None
        if not return_vis and not kwargs.get('show'):
            return None
        threshold = kwargs.get('pred_score_thr', 0.3)
        images, shown = [], []
        for img, sample, evidence in zip_longest(inputs, preds, self._evidence):
            if evidence is not None:
                images.append(self._panels(img, sample, evidence, threshold))
                shown.append(DetDataSample())
                continue
            found = sample.pred_instances
            if isinstance(found.get('masks'), list):
                palette = get_palette(self.model.dataset_meta.get('palette'), len(self.classes))
                drawn = found if kwargs.get('draw_pred', True) else found[:0]
                img = paint_run_lengths(img, drawn[drawn.scores > threshold], palette)
                found = without_masks(found)
            images.append(img[..., ::-1])
            # without the semantic map, whose 0 is the background, but a class to mmdet
            shown.append(DetDataSample(pred_instances=found))
        pictures = super().visualize(images, shown, return_vis, **kwargs)
        if folder is not None:
            for picture, sample in zip(pictures, preds):
                save_picture(picture, folder / f'{sample.img_id}.png')
        return pictures

    def _panels(
        self, img: np.ndarray, sample: DetDataSample, evidence: Evidence, score_thr: float
    ) -> np.ndarray:
        """Panels of an image [H, W, 3] BGR in one picture, RGB."""
        palette = get_palette(self.model.dataset_meta.get('palette'), len(self.classes))
        style = Style(self.classes, palette, score_thr=score_thr)
        return compose_panels(img[..., ::-1], sample.pred_instances, style, evidence)

    def pred2dict(self, data_sample: DetDataSample, pred_out_dir: str = '') -> dict:
        """Convert a result to a plain dict, and write it if a folder is given.

        Args:
            data_sample: Result of one image.
            pred_out_dir: JSON is written to its folder ``preds``, with the names of the classes;
                empty writes none.

        Returns:
            ``labels``, ``scores``, ``bboxes`` and, if there are some, ``masks``.
        """
        found = data_sample.pred_instances
        result = super().pred2dict(DetDataSample(pred_instances=without_masks(found)))
        if 'masks' in found:
            rles = to_rles(found.masks)
            result['masks'] = [{**rle, 'counts': rle['counts'].decode()} for rle in rles]
        if pred_out_dir:
            path = Path(pred_out_dir) / 'preds' / f'{data_sample.img_id}.json'
            content = {**result, 'classes': list(self.classes)}
            write_bytes(path, json.dumps(content).encode())
        return result
