from types import SimpleNamespace

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.logging import MMLogger
from mmengine.structures import BaseDataElement
from test_models.tiny import evidence_of

from mmlabelpenet.engine import FeatureStatisticsHook, FiniteLossHook, LabelCurveHook
from mmlabelpenet.models import CAMAttention, LevelFusion
from mmlabelpenet.testing import DeviceWaits
from mmlabelpenet.utils import UserError


def runner_at(work_dir, iteration=0, **fields):
    fields.setdefault('call_hook', lambda name, **_: None)
    return SimpleNamespace(work_dir=str(work_dir), iter=iteration, **fields)


def step(hook, runner, value, image='a.jpg'):
    sample = BaseDataElement(metainfo=dict(img_path=image))
    outputs = dict(loss=torch.tensor(value), **{'detection.loss_cls': torch.tensor(value)})
    hook.after_train_iter(runner, 0, dict(data_samples=[sample]), outputs)
    runner.iter += 1


def test_a_loss_that_is_not_finite_stops_the_run_and_names_image_and_checkpoint(tmp_path):
    (tmp_path / 'epoch_3.pth').touch()
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'epoch_3.pth'))
    hook, runner = FiniteLossHook(), runner_at(tmp_path, 7)
    step(hook, runner, 1.0)
    with pytest.raises(UserError, match=r'detection.loss_cls is nan .* 9, on b.jpg.*epoch_3.pth'):
        step(hook, runner, float('nan'), 'b.jpg')


def test_without_a_checkpoint_the_sentence_says_so(tmp_path):
    with pytest.raises(UserError, match=r'is inf at iteration 1, on a.jpg; no checkpoint was'):
        step(FiniteLossHook(), runner_at(tmp_path), float('inf'))


def test_all_values_of_a_step_are_read_at_one_wait_and_others_than_losses_may_be_anything(
    tmp_path,
):
    outputs = {'detection.pseudo_v': torch.tensor(float('nan')), 'loss': torch.tensor(0.25)}
    with DeviceWaits() as waits:
        FiniteLossHook().after_train_iter(runner_at(tmp_path), 0, {}, outputs)
    # the list comprehension reads values that are on the host already
    assert {place.split()[1] for place in waits.places} == {'after_train_iter', '<listcomp>'}
    assert waits.places[next(p for p in waits.places if 'after' in p)] == 1
    assert outputs['loss'].item() == 0.25
    assert outputs['detection.pseudo_v'].isnan()


class TwoLevels(torch.nn.Module):
    """Its maps are the image as two levels, the second one at half the size."""

    def __init__(self):
        super().__init__()
        fusion = dict(in_channels=(6, 6), strides=(1, 2), out_channels=4)
        self.fusion = LevelFusion(**fusion)
        self.data_preprocessor = lambda batch, training: batch

    def extract_feat(self, inputs, shapes):
        return inputs, inputs[..., ::2, ::2]


@pytest.fixture
def images():
    generator = torch.Generator().manual_seed(0)
    mixing = torch.randn(6, 6, generator=generator)
    batches = [torch.rand(1, 6, 9, 7, generator=generator) for _ in range(6)]
    return [torch.einsum('dc,bchw->bdhw', mixing, batch) + 3 for batch in batches]


def run_hook(model, images, tmp_path, **changes):
    loader = [
        dict(inputs=image, data_samples=[SimpleNamespace(img_shape=(8, 7))]) for image in images
    ]

    class Loader(list):
        batch_size = 1

    fields = dict(model=model, cfg={}, train_dataloader=Loader(loader), logger=MMLogger('x'))
    FeatureStatisticsHook(num_images=4).before_train(runner_at(tmp_path, **(fields | changes)))


def test_projections_start_at_principal_components_of_the_first_images(images, tmp_path):
    model = TwoLevels()
    run_hook(model, images, tmp_path)
    for level, (projection, begin) in enumerate(zip(model.fusion.projections, (0, 2))):
        # Beyond the image's 8 rows there is padding.
        step = level + 1
        seen = [image[0, :, :8][:, ::step, ::step].flatten(1) for image in images[:4]]
        cells = torch.cat(seen, dim=1)
        projected = projection(cells[None, :, None])[0, :, 0]
        covariance = projected @ projected.t() / cells.shape[1]
        assert projected.mean(1).abs().max() < 1e-4
        used = slice(begin, begin + 2)
        values = torch.linalg.eigvalsh(torch.cov(cells, correction=0)).flip(0)
        expected = torch.diag(values[:2] / values[0])
        assert torch.allclose(covariance[used, used], expected, atol=1e-3)
        rest = [i for i in range(4) if not begin <= i < begin + 2]
        assert projected[rest].abs().max() == 0


def test_a_classifier_that_standardises_divides_by_the_spread_between_images(images, tmp_path):
    model = TwoLevels()
    attention = dict(in_channels=(6, 6), strides=(1, 2), levels=(-1,))
    model.source = CAMAttention(2, **attention, standardise=True)
    model.plain = CAMAttention(2, **attention)
    for cam in (model.source, model.plain):
        torch.nn.init.ones_(cam.classifiers[0].weight)
    run_hook(model, images, tmp_path)
    means = [image[0, :, :8][:, ::2, ::2].mean((1, 2)) for image in images[:4]]
    spread = torch.stack(means).std(0, correction=0)
    [weight], [plain] = model.source.weights, model.plain.weights
    expected = (1 / spread).expand(2, 6)
    torch.testing.assert_close(weight[:, :, 0, 0], expected, rtol=1e-4, atol=0)
    assert plain.eq(1).all()
    evidence = evidence_of(8, 7, feats=model.extract_feat(images[0], None))
    [logits] = model.source.image_logits([evidence])
    torch.testing.assert_close(logits, (means[0] / spread).sum().expand(2), rtol=1e-4, atol=0)
    assert 'spread_0' in model.source.state_dict()


def test_channels_that_hardly_differ_are_not_amplified():
    cam = CAMAttention(1, in_channels=(3,), strides=(8,), standardise=True)
    torch.nn.init.ones_(cam.classifiers[0].weight)
    cam.set_spreads([torch.tensor([0.0, 1.0, 2.0])])
    assert cam.weights[0].flatten().tolist() == pytest.approx([100, 1, 0.5])


@pytest.mark.parametrize('changes', [dict(iteration=1), dict(cfg=dict(load_from='x.pth'))])
def test_loaded_weights_are_kept(images, tmp_path, changes):
    model = TwoLevels()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    run_hook(model, images, tmp_path, **changes)
    assert all(value.equal(before[name]) for name, value in model.state_dict().items())


def test_the_curve_of_labels_is_off_and_knows_no_negative_number(tmp_path):
    hook = LabelCurveHook()
    hook.before_train(runner_at(tmp_path))  # which has no config
    hook.after_train_iter(runner_at(tmp_path, train_loop=None), 0)
    with pytest.raises(UserError, match='LabelCurveHook has num_images=-1'):
        LabelCurveHook(-1)


def test_without_ground_truth_or_phases_the_curve_of_labels_says_that_it_does_nothing(tmp_path):
    said = []
    cfg = ConfigDict(train_cfg=dict(type='CurriculumTrainLoop', phases=dict(a={})))
    for changes in ({}, dict(corloc_dataloader={}, train_cfg=dict(max_epochs=1))):
        runner = runner_at(tmp_path, cfg=ConfigDict(cfg, **changes), train_loop=None)
        runner.logger = SimpleNamespace(info=said.append)
        LabelCurveHook(3).before_train(runner)
    assert len(said) == 2
    assert 'corloc_dataloader and phases' in said[0]
