"""Using a trained cascade on any images."""

import copy
import json
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

from mmlabelpenet.models import LABELS
from mmlabelpenet.models.detectors import paint_semantic_map
from mmlabelpenet.registry import DATASETS, TRANSFORMS
from mmlabelpenet.utils import UserError, atomic_path, register_all_modules
from mmlabelpenet.visualization import save_picture

from .checkpoint import read_checkpoint, require_same_model
from .images import list_images
from .pipeline import choose_stage, test_pipeline_of

Tags = Sequence[str | int]


class LabelPEnetInferencer(DetInferencer):
    """mmdet's inferencer for a cascade: it brings proposals, and knows of tags and stages.

    Results are mmdet's: a dict of ``predictions`` (dicts of labels, scores, bboxes and, where
    the stage makes them, masks as run lengths; or data samples) and ``visualization``. Boxes and
    masks are in the image's own pixels; an image's result does not depend on its batch.

    Args:
        model: A config or its file; None takes the config that the checkpoint holds.
        weights: The checkpoint.
        device: Where to run; None takes a GPU where there is one.
        stage: Whose result to give: a stage of the cascade, or ``'attention'`` or
            ``'calibration'`` for the pseudo instances of tagged images; None: what the config
            says.
        proposal_root: Where proposals are stored; None makes them by Selective Search.
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
        checkpoint = read_checkpoint(str(weights))
        cfg = _config_of(model, checkpoint, str(weights))
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
        # mmdet asks this data set for classes and colours; it has no images
        metainfo = _metainfo_of(cfg, checkpoint)
        if cfg.get('classes_from_data'):  # which need not lie here
            cfg.model.num_classes = len(metainfo['classes'])
        dataset = dict(type='mmdet.BaseDetDataset', metainfo=metainfo, pipeline=pipeline)
        cfg.test_dataloader = dict(dataset=dataset)
        # pictures are saved by this class, not by the visualizer's backends
        cfg.visualizer = dict(type='DetLocalVisualizer', name='inferencer')
        super().__init__(
            cfg, str(weights), device, scope='mmlabelpenet', show_progress=show_progress
        )
        require_same_model(self.model, checkpoint, str(weights))
        self.load_image = TRANSFORMS.build(pipeline[0])

    def _init_pipeline(self, cfg: Config) -> Compose:
        """Mmengine's place for what happens to an image once it is loaded."""
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
            tags: The classes that are known to be in each image, as names or labels, or one list
                for all images. Only instances of these are given.
            proposals: For each image [N, 4] boxes xyxy in its pixels, in place of those that are
                stored or made; an array for a single image.
            batch_size: Images that go through the model at once.
            **kwargs: Of mmdet's ``DetInferencer``: ``return_vis``, ``show``, ``wait_time``,
                ``no_save_vis``, ``draw_pred``, ``pred_score_thr``, ``return_datasamples``,
                ``print_result``, ``no_save_pred`` and ``out_dir``, in which pictures go to ``vis``
                and, with ``no_save_pred=False``, results to ``preds``.

        Returns:
            ``predictions`` and ``visualization``, lists in the order of the images.

        Raises:
            UserError: If an image is missing or damaged, a class is unknown, tags or proposals
                are not as many as images, or the stage needs tags that are not given.
        """
        photos = list_images(inputs)
        described = _described(photos)
        if tags is not None:
            for one, names in zip(described, _per_image_tags(tags, len(photos))):
                one.update(tags=self._labels_of(names), num_classes=len(self.classes))
        elif self.stage in LABELS:
            raise UserError(f'The stage {self.stage} needs the tags of the photos: give tags.')
        if proposals is not None:
            given = [proposals] if isinstance(proposals, np.ndarray) else list(proposals)
            _require_one_each('proposals', given, len(photos))
            for one, boxes in zip(described, given):
                one['proposals'] = boxes
        return super().__call__(described, batch_size=batch_size, **kwargs)

    def _labels_of(self, names: Tags) -> list[int]:
        """Sorted labels of tags."""
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
        """Load images, give them proposals, and make batches.

        Args:
            inputs: A dict per image with ``img_path`` or ``img``.
            batch_size: Images of a batch.
            **kwargs: None are known.

        Yields:
            The images [H, W, 3] of a batch, BGR, and the batch as the model takes it.
        """
        for start in range(0, len(inputs), batch_size):
            loaded = [self._load(one) for one in inputs[start : start + batch_size]]
            images = [one['img'] for one in loaded]
            yield images, self.collate_fn([self.pipeline(one) for one in loaded])

    def _load(self, image: dict) -> dict:
        if 'img' in image:
            shape = image['img'].shape[:2]
            return {**image, 'img_path': None, 'img_shape': shape, 'ori_shape': shape}
        try:
            return self.load_image(dict(image))
        except UserError:
            raise
        # a damaged image fails in as many ways as there are decoders
        except Exception as error:
            raise UserError(
                f'The photo {image["img_path"]} is damaged or no photo ({error}): replace it or '
                'leave it out.'
            ) from error

    @torch.no_grad()
    def forward(self, inputs: dict, **kwargs: Any) -> list[DetDataSample]:
        """Let the model find instances; where tags are known, only those of tagged classes.

        Args:
            inputs: A batch.
            **kwargs: None are known.

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
        show: bool = False,
        wait_time: float = 0,
        draw_pred: bool = True,
        pred_score_thr: float = 0.3,
        no_save_vis: bool = False,
        img_out_dir: str = '',
        **kwargs: Any,
    ) -> list[np.ndarray] | None:
        """Paint instances onto images by mmdet's visualizer.

        Args:
            inputs: Images [H, W, 3] uint8, BGR.
            preds: Their data samples.
            return_vis: Whether pictures are returned though they are neither shown nor saved.
            show: Whether to show each in a window.
            wait_time: Seconds that a window stays.
            draw_pred: Whether to paint instances at all.
            pred_score_thr: Those below are not painted.
            no_save_vis: Whether to save no pictures.
            img_out_dir: Pictures go to its folder ``vis``; empty saves none.
            **kwargs: None are known.

        Returns:
            Pictures [H, W, 3] uint8, RGB; None where nobody wants them.
        """
        folder = None if no_save_vis or not img_out_dir else Path(img_out_dir) / 'vis'
        if folder is None and not show and not return_vis:
            return None
        pictures = []
        for img, sample in zip(inputs, preds):
            # without the semantic map, whose 0 is the background, but a class to mmdet
            shown = DetDataSample(pred_instances=sample.pred_instances)
            self.visualizer.add_datasample(
                sample.img_id,
                img[..., ::-1],
                shown,
                draw_gt=False,
                draw_pred=draw_pred,
                show=show,
                wait_time=wait_time,
                pred_score_thr=pred_score_thr,
            )
            pictures.append(self.visualizer.get_image())
            if folder is not None:
                save_picture(pictures[-1], folder / f'{sample.img_id}.png')
        return pictures

    def pred2dict(self, data_sample: DetDataSample, pred_out_dir: str = '') -> dict:
        """Make a plain dict of a result, and write it where that is asked for.

        Args:
            data_sample: An image's result.
            pred_out_dir: JSON goes to its folder ``preds``, with the names of the classes; empty
                writes none.

        Returns:
            ``labels``, ``scores``, ``bboxes`` and, where there are some, ``masks``.
        """
        result = super().pred2dict(data_sample)
        if pred_out_dir:
            path = Path(pred_out_dir) / 'preds' / f'{data_sample.img_id}.json'
            with atomic_path(path) as temporary:
                content = {**result, 'classes': list(self.classes)}
                temporary.write_text(json.dumps(content), encoding='utf-8')
        return result


def _config_of(model: str | Path | Config | None, checkpoint: dict, weights: str) -> Config:
    """A config of one's own, whatever it is given as."""
    if isinstance(model, Config):
        return copy.deepcopy(model)
    if model is not None and not Path(model).is_file():
        raise UserError(f'There is no config {model}; see configs/ for those there are.')
    text = checkpoint.get('meta', {}).get('cfg')
    if model is None and text is None:
        raise UserError(f'{weights} holds no config: name the one that it was trained with.')
    try:
        return Config.fromstring(text, '.py') if model is None else Config.fromfile(str(model))
    # a config is a program, which may fail in any way
    except Exception as error:
        source = f'in {weights}' if model is None else model
        raise UserError(
            f'The config {source} can not be read ({type(error).__name__}: {error}): mend it.'
        ) from error


def _metainfo_of(cfg: Config, checkpoint: dict) -> dict:
    """Classes and palette: what the checkpoint was trained with, or else what the config says."""
    found = checkpoint.get('meta', {}).get('dataset_meta')
    if found is None:
        dataset = cfg.get('test_dataloader', cfg.get('val_dataloader'))['dataset']
        found = DATASETS.build({**dataset, 'lazy_init': True}).metainfo
    return {name: found[name] for name in ('classes', 'palette') if name in found}


def _described(photos: Sequence[str | np.ndarray]) -> list[dict]:
    """A dict per image, with a name of its own for its result."""
    described: list[dict] = []
    count: dict[str, int] = {}
    for index, image in enumerate(photos):
        if isinstance(image, np.ndarray):
            described.append({'img': image, 'img_id': f'{index:08d}'})
            continue
        path = Path(image)
        count[path.stem] = count.get(path.stem, 0) + 1
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
