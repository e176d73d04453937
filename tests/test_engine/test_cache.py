from types import SimpleNamespace

import pytest
import torch
from mmcv.transforms import Compose

from mmlabelpenet.models import (
    EfficientNetLite,
    FeatureCache,
    LabelCache,
    require_known_transforms,
)
from mmlabelpenet.registry import TRANSFORMS
from mmlabelpenet.utils import UserError

from ..tiny import build_model, image, losses_of

STAGES = ('classification', 'detection')


@pytest.fixture(scope='module')
def model():
    model = build_model()
    model.train()
    return model


@pytest.fixture
def cache(model, tmp_path):
    """An empty cache, used by the model, whose backbone is frozen."""
    model.set_active(STAGES, False)
    model.feature_cache = FeatureCache(tmp_path)
    model.feature_cache.open(model.backbone)
    yield model.feature_cache
    model.feature_cache = None


@pytest.fixture
def passes(model):
    """Sizes of the batches that went through the backbone."""
    sizes = []
    hook = model.backbone.register_forward_pre_hook(lambda _, inputs: sizes.append(len(inputs[0])))
    yield sizes
    hook.remove()


def named_image(name, *args, flip=False, **kwargs):
    inputs, sample = image(*args, **kwargs)
    sample.set_metainfo(dict(img_path=name, flip=flip))
    return inputs, sample


def test_losses_are_those_without_cache_and_the_backbone_rests(model, cache, passes):
    images = [named_image('a', 64, 96), named_image('b', 96, 64, seed=1)]
    first = losses_of(model, *images)
    assert passes == [1, 1]
    again = losses_of(model, *images)
    assert passes == [1, 1]
    assert first == again
    model.feature_cache = None
    plain = losses_of(model, *images)
    for name, loss in plain.items():
        torch.testing.assert_close(first[name], loss, rtol=3e-3, atol=1e-4)


def test_flips_sizes_and_names_are_told_apart(model, cache, passes):
    variants = [
        named_image('a'),
        named_image('a', flip=True),
        named_image('a', 32, 96),
        named_image('b'),
    ]
    for variant in variants * 2:
        losses_of(model, variant)
    assert len(passes) == len(list(cache.folder.iterdir())) == 4


def test_a_learning_backbone_is_never_answered_from_the_cache(model, cache, passes):
    model.set_active(STAGES, True)
    for _ in range(2):
        losses_of(model, named_image('a'))
    assert passes == [1, 1]
    assert not cache.folder.exists()


def test_other_weights_are_other_maps(model, cache):
    losses_of(model, named_image('a'))
    folder, weight = cache.folder, next(model.backbone.parameters())
    before = weight.data.clone()
    weight.data += 1
    cache.open(model.backbone)
    weight.data = before
    assert cache.folder != folder
    assert cache.num_bytes == 0
    # What another run is writing may be renamed at any time.
    (folder / '.b.7.tmp.pth').symlink_to(folder / 'renamed')
    cache.open(model.backbone)
    assert cache.folder == folder
    assert cache.num_bytes > 0


def test_a_full_cache_keeps_what_it_has_and_changes_no_loss(model, cache, passes):
    roomy = losses_of(model, named_image('a'))
    cache.max_bytes = cache.num_bytes * 1.5
    losses_of(model, named_image('b', seed=1))
    losses_of(model, named_image('b', seed=1))
    assert len(passes) == 3
    assert len(list(cache.folder.iterdir())) == 1
    for file in cache.folder.iterdir():
        file.unlink()
    cache.max_bytes = 0
    assert losses_of(model, named_image('a')) == roomy


@pytest.fixture
def labels(model, cache, tmp_path):
    """An empty cache of labels, used by the model, of which only stages 2 and 3 learn."""
    model.set_active(('detection', 'refinement'), False)
    model.attention_scales = (1.5,)
    model.label_cache = LabelCache(tmp_path / 'labels')
    model.label_cache.open(model.backbone, recipe=model.label_recipe)
    yield model.label_cache
    model.label_cache, model.attention_scales = None, ()


def test_labels_are_made_once_and_give_the_losses_of_those_made_anew(model, labels, monkeypatch):
    images = [named_image('a', 64, 96), named_image('b', 96, 64, seed=1)]
    calls = []
    made = model.calibration.forward
    monkeypatch.setattr(
        model.calibration, 'forward', lambda *args: calls.append(len(args[1])) or made(*args)
    )
    first = losses_of(model, *images)
    assert losses_of(model, *images) == first
    assert calls == [1, 1]
    model.label_cache = model.feature_cache = None
    plain = losses_of(model, *images)
    for name, loss in plain.items():
        torch.testing.assert_close(first[name], loss, rtol=3e-3, atol=1e-3)


def test_other_proposals_or_tags_are_other_labels(model, labels):
    variants = [
        named_image('a'),
        named_image('a', tags=(0, 1, 0)),
        named_image('a', bboxes=torch.tensor([[4.0, 4.0, 50.0, 40.0]])),
    ]
    for variant in variants * 2:
        losses_of(model, variant)
    assert len(list(labels.folder.glob('*.pth'))) == 3


def test_other_settings_are_other_labels(model, labels):
    folder = labels.folder
    labels.open(model.backbone, recipe=model.label_recipe + 'x')
    assert labels.folder != folder


def test_a_learning_classifier_is_never_answered_from_the_cache_of_labels(model, labels):
    model.set_active(('classification', 'detection'), False)
    losses_of(model, named_image('a'))
    assert not labels.folder.exists()


def test_augmentation_that_the_cache_can_not_tell_is_refused():
    build = TRANSFORMS.build
    plain = [dict(type='Resize', scale=(64, 48)), dict(type='RandomFlip', prob=0.5)]
    broadcaster = build(dict(type='ProposalBroadcaster', transforms=plain))
    require_known_transforms(SimpleNamespace(pipeline=Compose([broadcaster])))
    distorted = [*plain, dict(type='PhotoMetricDistortion')]
    jitter = dict(type='ProposalBroadcaster', transforms=distorted)
    hidden = SimpleNamespace(dataset=SimpleNamespace(pipeline=Compose([build(jitter)])))
    with pytest.raises(UserError, match='PhotoMetricDistortion'):
        require_known_transforms(hidden)


def test_how_weights_began_is_no_matter(tmp_path):
    cache, folders = FeatureCache(tmp_path), set()
    for init_cfg in (None, dict(type='Pretrained', checkpoint='x'), dict(checkpoint='x')):
        torch.manual_seed(0)
        cache.open(EfficientNetLite(init_cfg=init_cfg))
        folders.add(cache.folder)
    assert len(folders) == 1
