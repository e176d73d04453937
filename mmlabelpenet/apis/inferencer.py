"""Inference with a trained cascade on any images."""

import copy
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmdet.apis import DetInferencer
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.structures import PixelData
from torch import nn

from mmlabelpenet.models import LABELS
from mmlabelpenet.models.detectors import paint_semantic_map
from mmlabelpenet.registry import DATASETS, TRANSFORMS
from mmlabelpenet.utils import (
    UserError,
    atomic_path,
    explain_read_errors,
    register_all_modules,
)
from mmlabelpenet.visualization import save_picture

from .building import explain_build_errors
from .checkpoint import load_weights, read_checkpoint
from .config_files import read_file
from .images import list_images
from .pipeline import choose_stage, test_pipeline_of
from .settings import require_config

Tags = Sequence[str | int]


class LabelPEnetInferencer(DetInferencer):
    """mmdet's inferencer for a cascade, with proposals, tags and stages.

    Results are mmdet's: a dict of ``predictions`` (dicts of labels, scores, bboxes and, if
    the stage makes them, masks as run lengths; or data samples) and ``visualization``. Boxes and
    masks are in the image's own pixels; an image's result does not depend on its batch.

    Args:
        model: A config or its file; None takes the config that the checkpoint holds.
        weights: The checkpoint.
        device: Device to run on; None takes a GPU if there is one.
        stage: Stage whose result is given: one of the cascade, or ``'attention'`` or
            ``'calibration'`` for the pseudo instances of tagged images; None keeps that of the
            config.
        proposal_root: Folder of stored proposals; None makes them by Selective Search.
        quality: Of Selective Search, ``'fast'`` or ``'quality'``.
        show_progress: Whether to show a progress bar.

    Raises:
        UserError: If the config or the checkpoint is missing, they do not fit, or the model has
            no such stage.

    Example:
        >>> inferencer = LabelPEnetInferencer('config.py', 'epoch_7.pth')
        >>> inferencer('images/', tags=['dog', 'chair'])['predictions'][0]['scores']
    """

    def __init__(
        self,
        model: str | Path | Config | None = None,
        weights: str | Path | None = None,
        device: str | None = None,
        stage: str | None = None,
        proposal_root: str | None = None,
        quality: str = 'fast',
        show_progress: bool = True,
    ) -> None:
        if weights is None:
            raise UserError('The inferencer needs weights: name a checkpoint.')
        register_all_modules()
        self._weights = str(weights)
        checkpoint = read_checkpoint(self._weights)
        cfg = _config_of(model, checkpoint, self._weights)
        self.stage = choose_stage(cfg, stage)
        pipeline = test_pipeline_of(cfg)
        for index, transform in enumerate(pipeline):
            if str(transform['type']).endswith('LoadRegionProposals'):
                pipeline[index] = dict(
                    type='ProvideRegionProposals',
                    proposal_root=proposal_root,
                    quality=quality,
                    max_num=transform.get('max_num'),
                )
        self._metainfo = _metainfo_of(cfg, checkpoint)
        if cfg.get('classes_from_data'):  # the data may be missing here
            cfg.model.num_classes = len(self._metainfo['classes'])
        cfg.test_dataloader = dict(dataset=dict(pipeline=pipeline))
        # pictures are saved by this class, not by the visualizer's backends
        cfg.visualizer = dict(type='DetLocalVisualizer', name='inferencer')
        with explain_build_errors(model if isinstance(model, str | Path) else self._weights):
            super().__init__(cfg, None, device, 'mmlabelpenet', show_progress=show_progress)
        self.load_image = TRANSFORMS.build(pipeline[0])

    def _load_weights_to_model(self, model: nn.Module, checkpoint: None, cfg: Config) -> None:
        """Load weights, classes and palette; called by mmengine."""
        load_weights(model, self._weights)
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
        inputs: str | Path | np.ndarray | Sequence,
        tags: Tags | Sequence[Tags] | None = None,
        proposals: np.ndarray | Sequence[np.ndarray] | None = None,
        batch_size: int = 1,
        **kwargs: Any,
    ) -> dict:
        """Find the instances of images.

        Args:
            inputs: An image's file, a folder of images, a ``file://`` address, an array
                [H, W, 3] uint8 BGR, or a list of these.
            tags: The classes of each image, as names or labels, or one list for all images. Only
                instances of these classes are given.
            proposals: For each image [N, 4] boxes xyxy in its pixels, instead of those that are
                stored or made; an array for a single image.
            batch_size: Images per batch.
            **kwargs: Of mmdet's ``DetInferencer``: ``return_vis``, ``show``, ``wait_time``,
                ``no_save_vis``, ``draw_pred``, ``pred_score_thr``, ``return_datasamples``,
                ``print_result``, ``no_save_pred`` and ``out_dir``, whose folder ``vis`` gets the
                pictures and, with ``no_save_pred=False``, ``preds`` the results.

        Returns:
            ``predictions`` and ``visualization``, lists in the order of the images.

        Raises:
            UserError: If an image is missing or damaged, a class is unknown, the number of tags
                or proposals is not that of images, or the stage needs tags that are not given.
        """
        described = _described(list_images(inputs))
        if tags is not None:
            for one, names in zip(described, _per_image_tags(tags, len(described))):
                one.update(tags=self._labels_of(names), num_classes=len(self.classes))
        elif self.stage in LABELS:
            raise UserError(f'The stage {self.stage} needs the tags of the photos: give tags.')
        if proposals is not None:
            given = [proposals] if isinstance(proposals, np.ndarray) else list(proposals)
            _require_one_each('proposals', given, len(described))
            for one, boxes in zip(described, given):
                one['proposals'] = boxes
        return super().__call__(described, batch_size=batch_size, **kwargs)

    def _labels_of(self, names: Tags) -> list[int]:
        """Get the sorted labels of tags."""
        classes = self.classes
        known: dict[Any, int] = {label: label for label in range(len(classes))}
        known |= {name: label for label, name in enumerate(classes)}
        unknown = [name for name in names if name not in known]
        if unknown:
            raise UserError(
                f'The tag {unknown[0]!r} is no class of this model: it knows {", ".join(classes)}.'
            )
        return sorted({known[name] for name in names})

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
    def forward(self, inputs: dict, **kwargs: Any) -> list[DetDataSample]:
        """Predict the instances of a batch; of images with tags only those of tagged classes.

        Args:
            inputs: The batch.
            **kwargs: Unused.

        Returns:
            The data samples of the batch.
        """
        samples = super().forward(inputs, **kwargs)
        for sample in samples:
            if 'tags' in sample:
                found = sample.pred_instances
                sample.pred_instances = found[
                    sample.tags.to(found.labels.device)[found.labels] > 0
                ]
                if 'pred_sem_seg' in sample:
                    painted = paint_semantic_map(sample.pred_instances)
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
        """Paint instances onto images by mmdet's visualizer.

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
        # without the semantic map, whose 0 is the background, but a class to mmdet
        shown = [DetDataSample(pred_instances=sample.pred_instances) for sample in preds]
        pictures = super().visualize(
            [img[..., ::-1] for img in inputs], shown, return_vis or folder is not None, **kwargs
        )
        if folder is not None:
            for picture, sample in zip(pictures, preds):
                save_picture(picture, folder / f'{sample.img_id}.png')
        return pictures

    def pred2dict(self, data_sample: DetDataSample, pred_out_dir: str = '') -> dict:
        """Convert a result to a plain dict, and write it if a folder is given.

        Args:
            data_sample: Result of one image.
            pred_out_dir: JSON is written to its folder ``preds``, with the names of the classes;
                empty writes none.

        Returns:
            ``labels``, ``scores``, ``bboxes`` and, if there are some, ``masks``.
        """
        result = super().pred2dict(data_sample)
        if pred_out_dir:
            path = Path(pred_out_dir) / 'preds' / f'{data_sample.img_id}.json'
            with atomic_path(path) as temporary:
                content = {**result, 'classes': list(self.classes)}
                temporary.write_text(json.dumps(content), encoding='utf-8')
        return result


def _config_of(model: str | Path | Config | None, checkpoint: dict, weights: str) -> Config:
    """Get a copy of the config, in whatever form it is given."""
    if isinstance(model, Config):
        return copy.deepcopy(model)
    text = checkpoint.get('meta', {}).get('cfg')
    if model is not None:
        require_config(model)
    elif text is None:
        raise UserError(f'{weights} holds no config: name the one that it was trained with.')
    with explain_read_errors(model or weights, 'a config', 'fix it'):
        return Config.fromstring(text, '.py') if model is None else read_file(model)


def _metainfo_of(cfg: Config, checkpoint: dict) -> dict:
    """Get classes and palette: those of the checkpoint's training data, else of the config's."""
    found = checkpoint.get('meta', {}).get('dataset_meta')
    if found is None:
        dataset = cfg.get('test_dataloader', cfg.get('val_dataloader'))['dataset']
        found = DATASETS.build({**dataset, 'lazy_init': True}).metainfo
    return {name: found[name] for name in ('classes', 'palette') if name in found}


def _described(images: Sequence[str | np.ndarray]) -> list[dict]:
    """Make a dict per image, with a unique name for its result."""
    described: list[dict] = []
    count: Counter = Counter()
    for index, image in enumerate(images):
        if isinstance(image, np.ndarray):
            described.append({'img': image, 'img_id': f'{index:08d}'})
            continue
        path = Path(image)
        count[path.stem] += 1
        name = path.stem if count[path.stem] == 1 else f'{path.stem}_{count[path.stem]}'
        folder = path.resolve().parent.name
        described.append(
            {'img_path': image, 'img_id': name, 'photo_id': path.stem, 'dataset_name': folder}
        )
    return described


def _per_image_tags(tags: Tags | Sequence[Tags], number: int) -> list[Tags]:
    if isinstance(tags, str):
        raise UserError(f'Tags are lists of names; write [{tags!r}].')
    if all(isinstance(tag, str | int | np.integer) for tag in tags):
        return [tags] * number  # type: ignore[list-item]
    _require_one_each('tags', tags, number)
    return list(tags)  # type: ignore[arg-type]


def _require_one_each(what: str, given: Sequence, number: int) -> None:
    if len(given) != number:
        raise UserError(f'There are {number} photos, but {len(given)} lists of {what}: one each.')
