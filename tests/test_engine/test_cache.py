import errno
import os
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmcv.transforms import Compose
from test_models.tiny import LEVELS, build_model, collate, image, losses_of, model_cfg, train_as

import mmlabelpenet.engine.cache as engine_cache
from mmlabelpenet.datasets import require_cacheable_transforms
from mmlabelpenet.engine import CurriculumTrainLoop, FeatureCache, LabelCache
from mmlabelpenet.engine.cache import remove_caches
from mmlabelpenet.models import EfficientNetLite
from mmlabelpenet.registry import MODELS, TRANSFORMS
from mmlabelpenet.utils import UserError

STAGES = ('classification', 'detection')


def open_caches(model, *caches):
    """Put caches of features and labels around a model, as the loop does for a phase."""
    CurriculumTrainLoop.open_caches(SimpleNamespace(model=model, caches=caches))


def files_of(cache):
    """Files of the current weights that are complete."""
    return sorted(cache.folder.glob('[!.]*.pth'))


def tensors_in(value):
    """All tensors of a file."""
    if isinstance(value, torch.Tensor):
        return [value]
    parts = value.values() if isinstance(value, dict) else value
    parts = parts if isinstance(value, dict | list | tuple) else []
    return [one for part in parts for one in tensors_in(part)]


def stored_in(cache):
    """All tensors of the files of a cache."""
    return [one for path in files_of(cache) for one in tensors_in(torch.load(path))]


@pytest.fixture(scope='module')
def model():
    return build_model()


@pytest.fixture
def cache(model, tmp_path):
    """An empty cache of features around the model, whose backbone is frozen."""
    train_as(model, learning=STAGES, backbone=False)
    cache = FeatureCache(tmp_path / 'features')
    open_caches(model, cache)
    yield cache
    remove_caches(model)


@pytest.fixture
def labels(model, cache, tmp_path):
    """An empty cache of labels around the model too; only stages 2 and 3 learn."""
    train_as(model, learning=('detection', 'refinement'), backbone=False)
    model.attention_scales = (1.5,)
    labels = LabelCache(tmp_path / 'labels')
    open_caches(model, cache, labels)
    yield labels
    model.attention_scales = ()


@pytest.fixture
def passes(model):
    """Sizes of the batches that the backbone gets."""
    sizes = []
    hook = model.backbone.register_forward_pre_hook(lambda _, inputs: sizes.append(len(inputs[0])))
    yield sizes
    hook.remove()


@pytest.fixture
def made(model, monkeypatch):
    """Sizes of the batches for which the calibration makes pseudo instances."""
    sizes, propagate = [], model.calibration.propagate

    def recorded(feats, evidence):
        sizes.append(len(evidence))
        return propagate(feats, evidence)

    monkeypatch.setattr(model.calibration, 'propagate', recorded)
    return sizes


def named_image(name, *args, flip=False, **kwargs):
    inputs, sample = image(*args, **kwargs)
    sample.set_metainfo(dict(img_path=name, flip=flip))
    return inputs, sample


def two_images():
    return [named_image('a', 64, 96, seed=1), named_image('b', 96, 64, seed=2)]


def test_losses_are_those_without_cache_and_the_backbone_is_not_run_again(model, cache, passes):
    images = two_images()
    first = losses_of(model, *images)
    assert passes == [1, 1]
    again = losses_of(model, *images)
    assert passes == [1, 1]
    assert first == again
    remove_caches(model)
    plain = losses_of(model, *images)
    for name, loss in plain.items():
        torch.testing.assert_close(first[name], loss, rtol=3e-3, atol=1e-4)


def test_flips_sizes_and_names_are_distinguished(model, cache, passes):
    variants = [
        named_image('a'),
        named_image('a', flip=True),
        named_image('a', 32, 96),
        named_image('b'),
    ]
    for variant in variants * 2:
        losses_of(model, variant)
    assert len(passes) == len(list(cache.folder.iterdir())) == 4


def test_maps_are_kept_in_half_precision(model, cache, monkeypatch):
    losses_of(model, *two_images())
    maps = stored_in(cache)
    assert len(maps) == 2 * 3
    assert {one.dtype for one in maps} == {torch.float16}
    # Values beyond its range are clamped, in the first step as in later ones.
    huge = torch.tensor([1e6, -1e6, 1.0]).view(1, 3, 1, 1)
    monkeypatch.setattr(model.backbone, 'forward', lambda inputs: (huge,))
    for _ in range(2):
        [evidence] = model.read_evidence(collate(named_image('huge', 32, 32)))
        [found] = evidence.feats
        assert found.flatten().tolist() == [65504, -65504, 1]
        assert found.dtype == torch.float32


def test_a_learning_backbone_is_never_cached(model, cache, passes):
    train_as(model, learning=STAGES)
    open_caches(model, cache)
    for _ in range(2):
        losses_of(model, named_image('a'))
    assert passes == [1, 1]
    assert not cache.folder.exists()


def test_predictions_do_not_use_the_caches(model, labels, passes, made):
    model.eval()
    for _ in range(2):
        model.read(collate(named_image('a')), 'attention')
        model.explain(collate(named_image('a')))
    # Each time at two scales.
    assert passes == [1] * 8
    assert made == [1] * 4
    assert not labels.folder.exists()


def test_maps_of_other_weights_lie_in_another_folder(model, cache):
    losses_of(model, named_image('a'))
    folder, weight = cache.folder, next(model.backbone.parameters())
    before = weight.data.clone()
    weight.data += 1
    open_caches(model, cache)
    weight.data = before
    assert cache.folder != folder
    assert files_of(cache) == []
    # Files that another run is writing may be renamed at any time.
    (folder / '.b.7.tmp.pth').symlink_to(folder / 'renamed')
    open_caches(model, cache)
    assert cache.folder == folder
    assert cache.num_bytes > 0


def test_a_full_cache_keeps_its_files_and_changes_no_loss(model, cache, passes):
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
    assert files_of(cache) == []


def test_a_full_cache_makes_room_where_nothing_was_used_since_the_run_began(model, cache):
    losses_of(model, named_image('a'))
    size = files_of(cache)[0].stat().st_size
    folders = {age: cache.root / f'{age:016x}' for age in (1, 2, 3)}
    for age, folder in [*folders.items(), (4, cache.root / 'of the user')]:
        folder.mkdir()
        (folder / 'a.pth').write_bytes(bytes(size))
        os.utime(folder, (engine_cache._BEGIN - age,) * 2)
    os.utime(folders[1])  # in use
    open_caches(model, cache)
    assert cache.num_bytes == 5 * size
    cache.max_bytes = 5.5 * size
    losses_of(model, named_image('b', seed=1))
    assert [one.exists() for one in folders.values()] == [True, True, False]
    cache.max_bytes = 3.5 * size
    losses_of(model, named_image('c', seed=2))
    assert [one.exists() for one in folders.values()] == [True, False, False]
    assert (cache.root / 'of the user/a.pth').exists()
    # it does not help, and nothing more is kept
    assert len(files_of(cache)) == 2


class FullDisk:
    """Nothing can be written; counts the attempts and keeps the warnings."""

    def __init__(self, monkeypatch):
        self.attempts, self.warnings = 0, []
        monkeypatch.setattr(Path, 'write_bytes', lambda path, content: self.fail(path))
        monkeypatch.setattr(
            engine_cache, 'print_log', lambda text, **_: self.warnings.append(text)
        )
        engine_cache._warn_once.cache_clear()

    def fail(self, path):
        self.attempts += 1
        path.touch()
        raise OSError(errno.ENOSPC, 'No space left on device')


def test_a_full_disk_switches_the_caches_off_with_one_warning(
    model, labels, tmp_path, monkeypatch
):
    images, root = two_images(), tmp_path / 'both'
    whole = losses_of(model, *images)
    caches = FeatureCache(root), LabelCache(root)
    open_caches(model, *caches)
    with monkeypatch.context() as patch:
        disk = FullDisk(patch)
        for _ in range(2):
            assert losses_of(model, *images) == whole
        assert disk.attempts == 2  # one of each cache
        [warning] = disk.warnings
        assert 'No space left on device' in warning
        assert 'train_cfg.feature_cache.root' in warning
    # A file appears whole or not at all.
    assert [path for path in root.rglob('*') if path.is_file()] == []
    # A new run with room fills them.
    caches = FeatureCache(root), LabelCache(root)
    open_caches(model, *caches)
    assert losses_of(model, *images) == whole
    assert all(files_of(one) for one in caches)


def test_a_folder_that_is_a_file_switches_the_cache_off(model, tmp_path, monkeypatch):
    (tmp_path / 'taken').write_text('')
    train_as(model, learning=STAGES, backbone=False)
    expected = FeatureCache(tmp_path / 'free')
    open_caches(model, expected)
    first = losses_of(model, named_image('a'))
    open_caches(model, FeatureCache(tmp_path / 'taken'))
    assert losses_of(model, named_image('a')) == first
    remove_caches(model)


@pytest.mark.parametrize('kind', ['empty', 'short', 'changed', 'text', 'a folder less'])
def test_a_damaged_file_is_made_anew(model, cache, passes, kind):
    whole = losses_of(model, named_image('a'))
    [path] = files_of(cache)
    content = path.read_bytes()
    middle = len(content) // 2
    damaged = {
        'empty': b'',
        'short': content[:middle],
        'changed': content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :],
        'text': b'no cache',
        'a folder less': content[-middle:],
    }
    path.write_bytes(damaged[kind])
    assert losses_of(model, named_image('a')) == whole
    assert passes == [1, 1]
    assert path.read_bytes() == content
    assert cache.num_bytes > 0
    assert losses_of(model, named_image('a')) == whole
    assert passes == [1, 1]


@pytest.mark.parametrize(
    'content', [[1], {}, {'0': torch.ones(1)}, ('another', {}), torch.ones(2)]
)
def test_a_file_of_something_else_is_made_anew(model, cache, passes, content):
    whole = losses_of(model, named_image('a'))
    [path] = files_of(cache)
    torch.save(content, path)
    assert losses_of(model, named_image('a')) == whole
    assert passes == [1, 1]


def test_a_file_that_was_copied_from_another_image_is_made_anew(model, cache, passes):
    first = losses_of(model, named_image('a'))
    [path] = files_of(cache)
    losses_of(model, named_image('b'))
    [other] = {*files_of(cache)} - {path}
    path.write_bytes(other.read_bytes())
    cache.intact.clear()
    assert losses_of(model, named_image('a')) == first
    assert passes == [1, 1, 1]


def test_a_replaced_image_of_the_same_name_and_size_is_read_anew(model, labels, passes, made):
    replaced = named_image('a', seed=1)
    fresh = losses_of(model, replaced)
    losses_of(model, named_image('a', seed=0))
    count = len(passes), len(made)
    assert losses_of(model, replaced) == fresh
    assert losses_of(model, replaced) == fresh
    assert (len(passes), len(made)) == count == (4, 2)


def test_the_loader_s_checksum_takes_the_place_of_the_pixels(model, cache, passes):
    def checked(crc):
        inputs, sample = named_image('a')
        sample.set_metainfo(dict(input_crc=crc))
        return inputs, sample

    for crc in (1, 2, 1, 2):
        losses_of(model, checked(crc))
    assert passes == [1, 1]


@pytest.mark.parametrize(
    'change',
    [
        dict(mean=[120.0] * 3),
        dict(std=[100.0] * 3),
        dict(bgr_to_rgb=True),
        dict(pad_size_divisor=64),
        dict(pad_value=1),
    ],
)
def test_maps_of_other_preprocessing_lie_in_another_folder(model, labels, cache, change):
    folders, before = (cache.folder, labels.folder), model.data_preprocessor
    model.data_preprocessor = MODELS.build(model_cfg()['data_preprocessor'] | change)
    open_caches(model, cache, labels)
    assert cache.folder != folders[0]
    assert labels.folder != folders[1]
    model.data_preprocessor = before
    open_caches(model, cache, labels)
    assert (cache.folder, labels.folder) == folders


def test_maps_of_another_precision_are_made_anew(model, labels, passes, made):
    for dtype in (None, torch.bfloat16, None, torch.bfloat16):
        with torch.autocast('cpu', dtype=dtype, enabled=dtype is not None):
            losses_of(model, named_image('a'))
    assert len(made) == 2
    assert len(passes) == 4  # at two scales each


def test_random_changes_of_whole_batches_are_not_cached(model, cache, passes, monkeypatch):
    monkeypatch.setattr(model.data_preprocessor, 'batch_augments', [lambda *batch: batch])
    open_caches(model, cache)
    for _ in range(2):
        losses_of(model, named_image('a'))
    assert passes == [1, 1]


def trained(cache=None, labels=None):
    """Weights after a few steps of stages 2 and 3 on two images."""
    model = train_as(build_model(), learning=('detection', 'refinement'), backbone=False)
    open_caches(model, *([cache, labels] if cache is not None else []))
    parameters = [one for one in model.parameters() if one.requires_grad]
    optimizer = torch.optim.SGD(parameters, lr=0.05, momentum=0.9)
    for step in range(4):
        losses = losses_of(model, *two_images(), seed=step)
        optimizer.zero_grad()
        sum(value for name, value in losses.items() if 'loss' in name).backward()
        optimizer.step()
    return {name: value.detach() for name, value in model.cascade.state_dict().items()}


def test_a_run_with_caches_equals_one_without(tmp_path, monkeypatch):
    def caches(folder, **options):
        return FeatureCache(tmp_path / folder, **options), LabelCache(tmp_path / folder, **options)

    before = build_model().cascade.state_dict()
    plain, filling = trained(), trained(*caches('roomy'))
    # Bits depend neither on the content of the caches nor on their room, nor on a full disk.
    others = [trained(*caches('roomy')), trained(*caches('none', max_gigabytes=0))]
    with monkeypatch.context() as patch:
        write, count = Path.write_bytes, iter(range(100))

        def write_twice(path, content):
            if next(count) >= 2:
                raise OSError(errno.ENOSPC, 'No space left on device')
            write(path, content)

        patch.setattr(Path, 'write_bytes', write_twice)
        others.append(trained(*caches('filled')))
    assert len(list((tmp_path / 'filled').rglob('*.pth'))) == 2
    for other in others:
        assert all(value.equal(other[name]) for name, value in filling.items())
    moved = [(value - before[name]).abs().max() for name, value in plain.items()]
    assert max(moved) > 0.01
    for name, value in filling.items():
        torch.testing.assert_close(value, plain[name], rtol=5e-3, atol=5e-4, msg=name)


def test_removed_caches_leave_the_model_as_it_was(model, labels, passes, made):
    losses_of(model, named_image('a'))
    count = len(passes), len(made)
    losses_of(model, named_image('a'))
    assert (len(passes), len(made)) == count
    remove_caches(model)
    assert model.extract.__func__ is type(model).extract
    assert model.cascade.seed.__func__ is type(model.cascade).seed
    losses_of(model, named_image('a'))
    assert (len(passes), len(made)) == (2 * count[0], 2 * count[1])
    # Nothing is decorated: there is nothing to remove.
    remove_caches(model)


def test_a_new_phase_replaces_the_caches_of_the_one_before(model, labels, cache):
    losses_of(model, named_image('a'))
    train_as(model, learning=STAGES, backbone=False)
    open_caches(model, cache, labels)
    assert 'extract' in vars(model)
    assert 'seed' not in vars(model.cascade)
    train_as(model, learning=STAGES)
    open_caches(model, cache, labels)
    assert 'extract' not in vars(model)


def test_labels_are_made_once_and_give_the_losses_of_those_made_anew(model, labels, made, passes):
    images = two_images()
    first = losses_of(model, *images)
    assert first['detection.pseudo'] > 0
    count = len(passes)
    assert losses_of(model, *images) == first
    assert made == [1, 1]
    # Images at further scales are not computed for labels that are cached.
    assert len(passes) == count == 4
    remove_caches(model)
    plain = losses_of(model, *images)
    for name, loss in plain.items():
        torch.testing.assert_close(first[name], loss, rtol=3e-3, atol=1e-3)


def test_of_labels_only_maps_are_kept_in_half_precision(model, labels):
    losses_of(model, *two_images())
    for one in stored_in(labels):
        assert (one.dtype == torch.float16) == (one.dim() == 3)


def test_labels_of_other_proposals_or_tags_are_distinguished(model, labels):
    variants = [
        named_image('a'),
        named_image('a', tags=(0, 1, 0)),
        named_image('a', bboxes=torch.tensor([[4.0, 4.0, 50.0, 40.0]])),
    ]
    for variant in variants * 2:
        losses_of(model, variant)
    assert len(list(labels.folder.glob('*.pth'))) == 3


@pytest.mark.parametrize(
    ('part', 'setting', 'value'),
    [
        ('calibration', 'threshold', 0.31),
        ('calibration', 'energy', 'share'),
        ('calibration', 'score_power', 0.5),
        ('calibration.seeds', 'tighten', None),
        ('calibration.seeds', 'dilation', 1.5),
        ('calibration.seeds', 'mining', dict(max_per_class=2)),
        ('calibration.sharpen.0', 'steps', 2),
        ('cascade.classification', 'score_proposals', True),
        ('cascade.classification', 'energy_threshold', 0.2),
        ('', 'attention_scales', (1.5, 0.5)),
    ],
)
def test_labels_of_other_settings_lie_in_another_folder(
    model, labels, cache, monkeypatch, part, setting, value
):
    folder, features = labels.folder, cache.folder
    with monkeypatch.context() as patch:
        assert getattr(model.get_submodule(part), setting) != value
        patch.setattr(model.get_submodule(part), setting, value)
        open_caches(model, cache, labels)
        assert labels.folder != folder
        assert cache.folder == features
    open_caches(model, cache, labels)
    assert labels.folder == folder


def test_labels_of_a_step_without_further_scales_lie_in_another_folder(model, labels, cache):
    folder = labels.folder
    train_as(model, learning=('detection', 'refinement'), backbone=False, scales=False)
    open_caches(model, cache, labels)
    assert labels.folder != folder


def test_labels_of_other_weights_lie_in_another_folder(model, labels, cache):
    folder, bias = labels.folder, model.cascade['classification'].attention.bias
    before = bias.data.clone()
    bias.data += 1
    open_caches(model, cache, labels)
    bias.data = before
    assert labels.folder != folder
    # Weights of stages 2 and later do not change the labels.
    weight = model.cascade['detection'].box_head.fc_cls.weight
    before = weight.data.clone()
    weight.data += 1
    open_caches(model, cache, labels)
    weight.data = before
    assert labels.folder == folder


def test_labels_that_semantic_attention_changes_lie_in_another_folder(tmp_path):
    model, labels = build_model(calibration=dict(semantic=LEVELS)), LabelCache(tmp_path)
    folders = []
    for learning in ('semantic', 'detection'):
        train_as(model, learning=(learning,), backbone=False)
        open_caches(model, FeatureCache(tmp_path), labels)
        folders.append(labels.folder)
    assert folders[0] != folders[1]


def test_a_resumed_run_finds_the_files_of_the_run_before(tmp_path):
    config = dict(
        semantic=LEVELS,
        refine=dict(type='PixelAffinity'),
        seeds=dict(type='AttentionSeeds'),
    )
    folders = set()
    for _ in range(2):
        model = train_as(build_model(calibration=config), learning=('detection',), backbone=False)
        caches = FeatureCache(tmp_path), LabelCache(tmp_path)
        open_caches(model, *caches)
        folders.add(tuple(cache.folder for cache in caches))
        # Neither the mode nor the stages that learn are settings of the labels.
        train_as(model, learning=('refinement', 'segmentation'), backbone=False).eval()
        open_caches(model, *caches)
        folders.add(tuple(cache.folder for cache in caches))
    assert len(folders) == 1


def test_labels_of_a_learning_classifier_are_never_cached(model, cache, labels, made):
    train_as(model, learning=STAGES, backbone=False)
    open_caches(model, cache, labels)
    for _ in range(2):
        losses_of(model, named_image('a'))
    assert made == [1, 1]
    assert not labels.folder.exists()


def test_augmentation_that_the_keys_do_not_distinguish_is_refused():
    build = TRANSFORMS.build
    plain = [dict(type='Resize', scale=(64, 48)), dict(type='RandomFlip', prob=0.5)]
    broadcaster = build(dict(type='ProposalBroadcaster', transforms=plain))
    require_cacheable_transforms(SimpleNamespace(pipeline=Compose([broadcaster])))
    distorted = [*plain, dict(type='PhotoMetricDistortion')]
    jitter = dict(type='ProposalBroadcaster', transforms=distorted)
    hidden = SimpleNamespace(dataset=SimpleNamespace(pipeline=Compose([build(jitter)])))
    with pytest.raises(UserError, match='PhotoMetricDistortion'):
        require_cacheable_transforms(hidden)


def test_the_initialisation_of_weights_does_not_change_the_folder(tmp_path):
    cache, folders = FeatureCache(tmp_path), set()
    for init_cfg in (None, dict(type='Pretrained', checkpoint='x'), dict(checkpoint='x')):
        torch.manual_seed(0)
        cache.open(EfficientNetLite(init_cfg=init_cfg))
        folders.add(cache.folder)
    assert len(folders) == 1
