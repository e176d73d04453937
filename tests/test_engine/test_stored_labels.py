from types import SimpleNamespace

import pytest
import torch
from mmengine.structures import InstanceData
from test_models.tiny import build_model, collate, evidence_of, image, train_as

from mmlabelpenet.datasets import require_label_keeping_transforms
from mmlabelpenet.engine import Phase
from mmlabelpenet.engine.loops.curriculum_train_loop import require_parts
from mmlabelpenet.engine.stored_labels import (
    StoredLabels,
    at_size,
    name_of,
    packed,
    unpacked,
)
from mmlabelpenet.structures import Maps
from mmlabelpenet.utils import UserError

HEIGHT, WIDTH, STRIDE = 48, 64, 4


def labelled(flip=False, height=HEIGHT, width=WIDTH, **fields):
    """An image with an object in its left upper quarter, or mirrored."""
    evidence = evidence_of(height, width, image=torch.zeros(3, height, width), **fields)
    evidence.set_metainfo(dict(img_id='one', flip=flip))
    attention = torch.zeros(2, height // STRIDE, width // STRIDE)
    attention[0, : height // 8, : width // 8] = 0.9
    attention[1, 2:5, 3:9] = 1.0
    bboxes = torch.tensor([[0, 0, width / 2, height / 2], [12, 8, 36, 20]])
    if flip:
        attention = attention.flip(-1)
        bboxes = torch.stack(
            [width - bboxes[:, 2], bboxes[:, 1], width - bboxes[:, 0], bboxes[:, 3]], 1
        )
    pseudo = InstanceData(
        bboxes=bboxes,
        labels=torch.tensor([2, 0]),
        weights=torch.tensor([0.75, 0.5]),
        attention=attention,
    )
    return evidence.replace(pseudo_instances=pseudo, instance_stride=STRIDE)


def test_a_label_comes_back_as_it_was_stored():
    one = labelled()
    back = unpacked(packed(one), one)
    assert back.instance_stride == STRIDE
    for key in ('bboxes', 'labels', 'weights'):
        assert torch.equal(back.pseudo_instances[key], one.pseudo_instances[key])
    assert torch.equal(
        back.pseudo_instances.attention, (one.pseudo_instances.attention > 0.5).float()
    )


def test_labels_of_a_mirrored_image_are_those_of_the_image():
    plain, mirrored = labelled(), labelled(flip=True)
    first, second = packed(plain), packed(mirrored)
    assert torch.equal(first['bboxes'], second['bboxes'])
    assert first['masks'] == second['masks']
    back = unpacked(first, mirrored)
    assert torch.equal(back.pseudo_instances.bboxes, mirrored.pseudo_instances.bboxes)
    attention = back.pseudo_instances.attention
    assert torch.equal(attention > 0.5, mirrored.pseudo_instances.attention > 0.5)


@pytest.mark.parametrize(
    ('direction', 'box'),
    [
        ('horizontal', [28, 8, 52, 20]),
        ('vertical', [12, 28, 36, 40]),
        ('diagonal', [28, 28, 52, 40]),
    ],
)
def test_labels_follow_a_flip_in_any_direction(direction, box):
    plain, other = labelled(), labelled()
    other.set_metainfo(dict(flip=True, flip_direction=direction))
    there = unpacked(packed(plain), other)
    assert there.pseudo_instances.bboxes[1].tolist() == box
    found = Maps(there.pseudo_instances.attention > 0.5, STRIDE).tight_boxes((HEIGHT, WIDTH))
    assert found[1].tolist() == box
    assert packed(there)['masks'] == packed(plain)['masks']


def test_a_transform_that_moves_objects_is_refused_where_labels_are_made_anew():
    crop = type('RandomCrop', (), {})()
    jitter = type('PhotoMetricDistortion', (), {})()
    require_label_keeping_transforms(pipeline_of(jitter))
    with pytest.raises(UserError, match=r"RandomCrop makes of a photo: .* the phase's relabel"):
        require_label_keeping_transforms(pipeline_of(jitter, crop))


def pipeline_of(*transforms):
    return SimpleNamespace(pipeline=SimpleNamespace(transforms=transforms))


def test_labels_fit_an_image_at_another_size():
    large = labelled(height=2 * HEIGHT, width=2 * WIDTH)
    back = unpacked(packed(labelled()), large)
    assert torch.equal(back.pseudo_instances.bboxes[0], large.pseudo_instances.bboxes[0])
    found, wanted = (e.pseudo_instances.attention[0] > 0.5 for e in (back, large))
    assert found.shape == wanted.shape
    assert (found & wanted).sum() >= 0.8 * (found | wanted).sum()


def test_an_image_without_instances_stays_without():
    one = labelled()
    empty = one.replace(pseudo_instances=one.pseudo_instances[:0])
    back = unpacked(packed(empty), one)
    assert len(back.pseudo_instances) == 0
    assert back.pseudo_instances.attention.shape == (0, HEIGHT // STRIDE, WIDTH // STRIDE)


class Photos(torch.utils.data.Dataset):
    """Tagged images, whatever the seed."""

    def __init__(self, count):
        self.samples = [image(seed=seed) for seed in range(count)]

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, index):
        number, _ = index
        return self.samples[number]


def filled_store(model, count=3, size=None, by_all=True):
    loader = torch.utils.data.DataLoader(Photos(count), collate_fn=lambda one: collate(*one))
    store = StoredLabels(size)
    train_as(model, learning=('detection',))
    assert list(store.fill(model, loader, 0, by_all)) == list(range(1, count + 1))
    return store


def propagated(model, *images):
    data = model.data_preprocessor(collate(*images), False)
    evidence = model.evidence(data['inputs'], data['data_samples'])
    evidence = model.cascade.seed(evidence[0].batch_feats, evidence)
    return [one.pseudo_instances for one in evidence]


def test_stored_labels_take_the_place_of_the_first_ones_in_training_alone():
    model = build_model()
    first = propagated(model.eval(), image(seed=1))[0]
    store = filled_store(model)
    assert len(store.labels) == 3
    store.around(model)
    [found] = propagated(model.train(), image(seed=1))
    assert torch.equal(found.bboxes, store.labels['/image_1']['bboxes'])
    assert not torch.equal(found.bboxes, first.bboxes)
    assert torch.equal(propagated(model.eval(), image(seed=1))[0].bboxes, first.bboxes)


def test_a_phase_may_return_to_the_labels_of_the_source():
    model = build_model()
    [first] = propagated(model.eval(), image(seed=1))
    store = filled_store(model)
    store.around(model)
    store.around(model, use=False)
    [found] = propagated(model.train(), image(seed=1))
    assert torch.equal(found.bboxes, first.bboxes)


def test_an_image_that_was_not_labelled_anew_keeps_its_first_labels():
    model = build_model()
    [first] = propagated(model.eval(), image(seed=7))
    store = filled_store(model)
    store.around(model)
    [found] = propagated(model.train(), image(seed=7))
    assert torch.equal(found.bboxes, first.bboxes)


def test_labels_are_made_anew_from_the_first_ones_not_from_stored_ones():
    model = build_model()
    store = filled_store(model)
    known = store.labels
    store.around(model)
    again = filled_store(model).labels
    assert all(torch.equal(known[name]['bboxes'], again[name]['bboxes']) for name in known)


def test_a_phase_that_labels_anew_without_module_4_is_refused():
    model = build_model(cascade=dict(segmentation=None))
    phases = dict(lap=Phase(epochs=1, stages=('detection',), relabel=True))
    with pytest.raises(UserError, match='Phase lap labels the photos anew'):
        require_parts(model, phases)
    require_parts(build_model(), phases)
    phases = dict(detection=Phase(epochs=1, stages=('detection',), relabel='calibration'))
    require_parts(model, phases)


def test_images_of_two_data_sets_have_names_of_their_own():
    one, other = labelled(), labelled()
    other.set_metainfo(dict(dataset_name='other'))
    assert name_of(one) != name_of(other)


def test_labels_of_the_source_alone_are_those_that_it_gives_itself():
    model = build_model()
    [first] = propagated(model.eval(), image(seed=1))
    stored = filled_store(model, by_all=False).labels['/image_1']
    assert torch.equal(stored['bboxes'], first.bboxes)
    assert torch.equal(stored['weights'], first.weights)


def test_labels_are_made_at_the_size_that_is_set_whatever_size_images_learn_at():
    model = build_model()
    store = filled_store(model, size=48, by_all=False)
    assert [one['img_shape'] for one in store.labels.values()] == [(48, 72)] * 3
    inputs, sample = collate(image(seed=1)).values()
    inputs = model.data_preprocessor(dict(inputs=inputs, data_samples=sample), False)['inputs']
    small, other = at_size(inputs, sample[0], 48, 32)
    assert small.shape[2:] == (64, 96)  # padded
    assert other.img_shape == (48, 72)
    torch.testing.assert_close(other.proposals.bboxes, sample[0].proposals.bboxes * 0.75)
    [evidence] = model.eval().evidence(small, [other])
    [direct] = model.cascade.seed(evidence.batch_feats, [evidence])
    pseudo, stored = direct.pseudo_instances, store.labels['/image_1']
    torch.testing.assert_close(stored['bboxes'], pseudo.bboxes)


def test_stage_1_is_not_asked_where_nothing_reads_what_it_finds():
    model = build_model()
    store = filled_store(model)
    first = model.cascade.classification
    asked = []
    first.attention.register_forward_hook(lambda *_: asked.append(1))
    store.around(model)
    propagated(model.train(), image(seed=1))
    assert asked == []
    propagated(model, image(seed=7))  # an image without a stored label
    assert asked == [1]
    propagated(model.eval(), image(seed=1))
    assert asked == [1, 1]


def test_a_backbone_that_learns_is_in_evaluation_mode_while_labels_are_made():
    model = build_model()
    before = {key: value.clone() for key, value in model.backbone.state_dict().items()}
    loader = torch.utils.data.DataLoader(Photos(2), collate_fn=lambda one: collate(*one))
    train_as(model, learning=('detection',), backbone=True)
    list(StoredLabels().fill(model, loader, 0))
    assert all(torch.equal(one, before[key]) for key, one in model.backbone.state_dict().items())
    assert model.backbone.training
