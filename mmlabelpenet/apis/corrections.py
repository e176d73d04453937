"""Training with labels of some images that someone has corrected."""

from collections import Counter
from collections.abc import Iterable, Sequence

from mmengine.config import Config

from mmlabelpenet.datasets import CorrectedObject, name_in, read_corrections
from mmlabelpenet.utils import UserError, advise_name

from .configs import classes_of, images_of, plain_datasets


def use_corrections(cfg: Config, path: str, classes: Sequence[str] | None) -> str:
    """Let the training read corrected labels as ground truth of the images that they are of.

    Args:
        cfg: The whole config; the pipelines of its training data are changed in place.
        path: COCO JSON or JSON of Label Studio, see :func:`read_corrections`.
        classes: Of the training data, in its order; None to read them.

    Returns:
        A sentence for the log.

    Raises:
        UserError: If the file cannot be read, names a class or an image that the training data
            does not have, or has one entry for several images.
    """
    known = read_corrections(path)
    images = [info['img_path'] for info in images_of(cfg, ['train'])]
    _require_images(path, known, images)
    classes = list(classes or classes_of(cfg.train_dataloader.dataset))
    _require_classes(path, (one for objects in known.values() for one in objects), classes)
    step = dict(type='LoadCorrections', label_file=path, classes=classes)
    for dataset in plain_datasets(cfg.train_dataloader.dataset):
        names = [one['type'].rpartition('.')[2] for one in dataset['pipeline']]
        dataset['pipeline'].insert(names.index('LoadImageFromFile') + 1, step)
    return f'{len(known)} of {len(images)} photos have corrected labels ({path}), others tags.'


def _require_images(path: str, names: Iterable[str], images: Sequence[str]) -> None:
    counts = Counter(name_in({*names}, image) for image in images)
    for name in names:
        if counts[name] != 1:
            raise UserError(
                f'{path} has labels of {name}, which is the name of {counts[name]} training '
                'photos: name photos of the training data by the last parts of their paths, as '
                'many as tell them apart.'
            )


def _require_classes(
    path: str, objects: Iterable[CorrectedObject], classes: Sequence[str]
) -> None:
    for one in objects:
        if one.label not in classes:
            raise UserError(
                f'{path} has the class {one.label!r}, which the training data does not have: '
                f'{advise_name(one.label, classes)}'
            )
