import json
import shutil

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.runner import Runner
from PIL import Image
from pycocotools import mask as mask_api

from mmlabelpenet.apis import LabelPEnetInferencer
from mmlabelpenet.datasets import ProvideRegionProposals
from mmlabelpenet.proposals import Proposals, make_proposals, proposal_path, write_proposals
from mmlabelpenet.structures import pieces
from mmlabelpenet.utils import UserError
from mmlabelpenet.visualization import Style
from mmlabelpenet.visualization.panels import GAP

MASKS = ('refinement', 'segmentation', 'calibration', 'attention')


@pytest.fixture(scope='module')
def inferencer(config, checkpoint):
    return LabelPEnetInferencer(config, checkpoint, device='cpu', show_progress=False)


@pytest.fixture(scope='module')
def predictions(inferencer, images):
    return inferencer(images)['predictions']


def assert_same(found, expected, tolerance=0.0):
    """Two lists of predictions are the same: boxes, scores, labels, masks."""
    assert len(found) == len(expected)
    for one, other in zip(found, expected):
        assert one['labels'] == other['labels']
        np.testing.assert_allclose(one['scores'], other['scores'], rtol=0, atol=tolerance)
        np.testing.assert_allclose(one['bboxes'], other['bboxes'], rtol=0, atol=100 * tolerance)
        if tolerance == 0:
            assert one['masks'] == other['masks']
        else:
            pairs = zip(one['masks'], other['masks'])
            assert min((mask_api.iou([a], [b], [0])[0, 0] for a, b in pairs), default=1) > 0.99


def test_results_are_mmdets(predictions, images):
    assert len(predictions) == len(images)
    for one, image in zip(predictions, images):
        height, width = cv2.imread(str(image)).shape[:2]
        assert one.keys() == {'labels', 'scores', 'bboxes', 'masks'}
        assert len(one['labels']) == len(one['scores']) == len(one['bboxes']) > 0
        boxes = np.array(one['bboxes'])
        assert (boxes >= 0).all()
        assert (boxes <= [width, height, width, height]).all()
        assert all(mask['size'] == [height, width] for mask in one['masks'])
        json.dumps(one)


def test_a_batch_gives_what_single_images_give(inferencer, images, predictions):
    sizes = {cv2.imread(str(image)).shape for image in images}
    assert len(sizes) > 1
    assert_same(inferencer(images, batch_size=3)['predictions'], predictions, tolerance=1e-5)


def test_results_are_those_of_the_test_loader(inferencer, config, shapes, predictions):
    for path in sorted((shapes / 'JPEGImages').glob('train_*')):
        proposals = make_proposals(cv2.imread(str(path)))
        write_proposals(proposal_path(shapes.parent / 'proposals', 'Shapes', path.stem), proposals)
    cfg = Config.fromfile(config)
    loader = Runner.build_dataloader(cfg.corloc_dataloader)
    samples = [sample for batch in loader for sample in inferencer.model.test_step(batch)]
    assert_same([inferencer.pred2dict(sample) for sample in samples], predictions)


def test_stored_proposals_are_used_if_their_folder_is_given(
    config, checkpoint, shapes, images, tmp_path
):
    """By the name of the images' folder, or from the data set's own folder."""
    box = np.array([[3, 4, 40, 50]])
    img = cv2.imread(str(images[0]))
    proposals = make_proposals(img)
    proposals.bboxes = box
    write_proposals(tmp_path / 'root/JPEGImages' / f'{images[0].stem}.npz', proposals)
    for root in ('root', 'root/JPEGImages'):
        transform = ProvideRegionProposals(str(tmp_path / root))
        results = dict(img=img, ori_shape=img.shape, photo_id=images[0].stem)
        results = transform(dict(results, dataset_name='JPEGImages'))
        np.testing.assert_array_equal(results['proposals'], box)
    stored = LabelPEnetInferencer(
        config, checkpoint, 'cpu', proposal_root=str(tmp_path / 'root'), show_progress=False
    )
    given = stored(images[0], proposals=box)['predictions']
    assert_same(stored(images[0])['predictions'], given)
    with pytest.raises(UserError, match='no proposals at'):
        stored(images[1])


def test_files_addresses_folders_and_arrays_give_the_same(inferencer, images, predictions):
    arrays = [cv2.imread(str(image)) for image in images]
    assert_same(inferencer(arrays)['predictions'], predictions)
    assert_same(inferencer(images[1].as_uri())['predictions'], predictions[1:2])
    mixed = inferencer([arrays[2], str(images[0])])['predictions']
    assert_same(mixed, [predictions[2], predictions[0]])
    folder = inferencer(images[0].parent)['predictions']
    assert_same(folder[: len(images)], predictions)


@pytest.mark.parametrize('stage', ['classification', 'detection', *MASKS])
def test_every_stage_can_be_asked(config, checkpoint, images, stage):
    inferencer = LabelPEnetInferencer(config, checkpoint, 'cpu', stage, show_progress=False)
    (sample,) = inferencer(images[0], tags=['star'], return_datasamples=True)['predictions']
    assert sample.pred_instances.labels.eq(0).all()
    assert ('masks' in sample.pred_instances) == (stage in MASKS)
    assert inferencer.model.test_stage == stage


def test_tags_choose_among_the_instances_and_their_map(inferencer, images, predictions):
    result = inferencer(images[:2], tags=[['moon'], ['star', 1]], return_datasamples=True)
    first, second = result['predictions']
    for sample, labels, plain in ((first, {2}, predictions[0]), (second, {0, 1}, predictions[1])):
        kept = [score for score, label in zip(plain['scores'], plain['labels']) if label in labels]
        assert sample.pred_instances.scores.tolist() == kept
        values = set(sample.pred_sem_seg.sem_seg.unique().tolist())
        assert values <= {0, *(label + 1 for label in labels)}
    # one list for all images
    for one in inferencer(images[:2], tags=['moon'])['predictions']:
        assert set(one['labels']) == {2}


def test_pictures_and_results_are_written_under_names_of_their_own(
    inferencer, images, predictions, tmp_path
):
    inputs = [images[0], images[0], cv2.imread(str(images[1]))]
    result = inferencer(inputs, out_dir=str(tmp_path), no_save_pred=False, pred_score_thr=0.1)
    names = ['00000002', images[0].stem, f'{images[0].stem}_2']
    assert sorted(path.stem for path in (tmp_path / 'vis').iterdir()) == sorted(names)
    assert sorted(path.stem for path in (tmp_path / 'preds').iterdir()) == sorted(names)
    content = json.loads((tmp_path / f'preds/{images[0].stem}.json').read_text())
    assert content.pop('classes') == ['star', 'ring', 'moon']
    assert_same([content], predictions[:1])
    for picture, one in zip(result['visualization'], inputs):
        img = one if isinstance(one, np.ndarray) else cv2.imread(str(one))
        assert picture.shape == img.shape
        assert (picture != img[..., ::-1]).any()
    written = cv2.imread(str(tmp_path / 'vis/00000002.png'))[..., ::-1]
    np.testing.assert_array_equal(written, result['visualization'][2])


def test_a_folder_gets_pictures_and_results_without_further_keywords(
    inferencer, images, predictions, tmp_path
):
    for keywords in ({}, dict(no_save_pred=True), dict(return_datasamples=True)):
        inferencer(images[0], out_dir=str(tmp_path / str(len(keywords))), **keywords)
    assert_same(
        [json.loads((tmp_path / f'0/preds/{images[0].stem}.json').read_text())], predictions[:1]
    )
    assert (tmp_path / f'0/vis/{images[0].stem}.png').is_file()
    assert [one.name for one in (tmp_path / '1').iterdir()] == ['vis']


def test_results_have_a_least_score_of_their_own(inferencer, images, predictions):
    least = sorted(predictions[0]['scores'])[len(predictions[0]['scores']) // 2]
    (found,) = inferencer(images[0], score_thr=least, pred_score_thr=1.0)['predictions']
    kept = [index for index, one in enumerate(predictions[0]['scores']) if one >= least - 1e-6]
    assert 0 < len(found['scores']) < len(predictions[0]['scores'])
    assert abs(len(found['scores']) - len(kept)) <= 1
    assert found['scores'] == predictions[0]['scores'][: len(found['scores'])]
    assert len(found['masks']) == len(found['scores'])


def test_pil_images_no_images_and_subfolders_are_inputs(inferencer, images, predictions, tmp_path):
    pixels = Image.fromarray(cv2.imread(str(images[0]))[..., ::-1])
    assert_same(inferencer([pixels])['predictions'], predictions[:1])
    assert_same(inferencer(pixels)['predictions'], predictions[:1])
    assert inferencer([]) == {'predictions': [], 'visualization': []}
    for name in ('a', 'b/c'):
        (tmp_path / name).mkdir(parents=True)
        shutil.copy(images[0], tmp_path / name)
    found = inferencer(tmp_path, recursive=True, out_dir=str(tmp_path / 'out'))
    assert_same(found['predictions'], predictions[:1] * 2)
    written = sorted((tmp_path / 'out/preds').rglob('*.json'))
    assert [str(one.parent.relative_to(tmp_path / 'out/preds')) for one in written] == ['a', 'b/c']
    with pytest.raises(UserError, match='contains no photos'):
        inferencer(tmp_path)


def test_a_result_is_short_at_the_end_of_a_cell(inferencer, images, predictions):
    found = inferencer(images[0])
    count = len(predictions[0]['scores'])
    one = f'<labels: {count}, scores: {count}, bboxes: {count}, masks: {count}>'
    assert repr(found) == '<predictions: 1, visualization: 0>'
    assert repr(found['predictions']) == f'[{one}]'


def test_mmdets_keywords_of_other_models_are_refused(inferencer, images):
    with pytest.raises(UserError, match="no keyword 'texts'; of mmdet's it has return_vis, show"):
        inferencer(images[0], texts=['a star'])


def test_panels_show_the_way_to_the_result(tool, config, checkpoint, images, tmp_path):
    """Without tags proposals and attention, with tags also boxes and masks of the labels."""
    width = Style(()).panel_width + GAP
    for count, tags in ((4, ()), (6, ('--tags', 'ring'))):
        tool(
            'demo/image_demo', images[0], config, '--weights', checkpoint, '--panels',
            '--out-dir', tmp_path, '--device', 'cpu', *tags,
        )  # fmt: skip
        picture = cv2.imread(str(tmp_path / f'vis/{images[0].stem}.png'))
        assert picture.shape[1] == GAP + count * width


def test_nothing_is_painted_where_nobody_asks(inferencer, images):
    assert inferencer(images[0])['visualization'] == []
    img = cv2.imread(str(images[0]))
    (picture,) = inferencer(images[0], return_vis=True, pred_score_thr=1.1)['visualization']
    np.testing.assert_array_equal(picture, img[..., ::-1])


def test_the_checkpoint_knows_its_config(checkpoint, images, predictions):
    inferencer = LabelPEnetInferencer(weights=checkpoint, device='cpu', show_progress=False)
    assert_same(inferencer(images[0])['predictions'], predictions[:1])


def test_classes_that_follow_the_data_are_the_checkpoints(config, checkpoint, images, predictions):
    cfg = Config.fromfile(config)
    cfg.classes_from_data = True
    cfg.model.num_classes = 20
    inferencer = LabelPEnetInferencer(cfg, checkpoint, 'cpu', show_progress=False)
    assert_same(inferencer(images[0])['predictions'], predictions[:1])


def test_a_image_without_proposals_gets_the_whole_image(inferencer, images):
    (one,) = inferencer(images[0], proposals=[np.zeros((0, 4))])['predictions']
    assert len(one['labels']) > 0


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(tags=['dog']), "'dog' is no class of this model: it knows star, ring, moon"),
        (dict(tags=[['star'], ['ring']]), '1 photos, but 2 lists of tags'),
        (dict(tags='star'), r"write \['star'\]"),
        (dict(proposals=[np.zeros((1, 4))] * 2), '1 photos, but 2 lists of proposals'),
        (dict(proposals=np.zeros((3, 5))), r'not \[3, 5\]'),
    ],
)
def test_wrong_tags_and_proposals_are_reported(inferencer, images, arguments, message):
    with pytest.raises(UserError, match=message):
        inferencer(images[0], **arguments)


def test_a_damaged_image_is_reported(inferencer, tmp_path):
    (tmp_path / 'broken.jpg').write_bytes(b'no photo')
    with pytest.raises(UserError, match=r'broken.jpg is damaged or no photo'):
        inferencer(tmp_path / 'broken.jpg')


def test_wrong_models_are_reported(config, checkpoint, images, tmp_path):
    def error(*args, **kwargs):
        with pytest.raises(UserError) as caught:
            LabelPEnetInferencer(*args, device='cpu', **kwargs)
        return str(caught.value)

    assert 'no config nope.py' in error('nope.py', checkpoint)
    assert 'no checkpoint gone.pth' in error(config, 'gone.pth')
    assert 'needs weights' in error(config)
    assert "no stage 'masks'" in error(config, checkpoint, stage='masks')
    state = torch.load(checkpoint, weights_only=False)
    state['state_dict'].popitem()
    state['meta'].pop('cfg')
    torch.save(state, tmp_path / 'other.pth')
    assert 'another model' in error(config, tmp_path / 'other.pth')
    assert 'holds no config' in error(weights=tmp_path / 'other.pth')


@pytest.mark.parametrize('stage', ['attention', 'calibration'])
def test_pseudo_instances_need_tags(config, checkpoint, images, stage):
    inferencer = LabelPEnetInferencer(config, checkpoint, 'cpu', stage, show_progress=False)
    with pytest.raises(UserError, match=f'stage {stage} needs the tags'):
        inferencer(images[0])


def test_the_demo_writes_results(tool, config, checkpoint, images, tmp_path, capsys):
    tool(
        'demo/image_demo', images[0], images[1], config, '--weights', checkpoint,
        '--out-dir', tmp_path, '--device', 'cpu', '--tags', 'ring', '--pred-score-thr', 0.0,
    )  # fmt: skip
    names = {image.stem for image in images[:2]}
    assert {path.stem for path in (tmp_path / 'vis').iterdir()} == names
    results = [json.loads(path.read_text()) for path in (tmp_path / 'preds').iterdir()]
    assert all(set(one['labels']) == {1} for one in results)
    found = sum(len(one['labels']) for one in results)
    assert f'{found} instances of 2 photos' in capsys.readouterr().out


def test_the_demo_reports_what_is_wrong(tool, config, checkpoint, capsys):
    with pytest.raises(SystemExit) as caught:
        tool('demo/image_demo', 'gone.jpg', config, '--weights', checkpoint)
    assert caught.value.code == 2
    assert 'no photo and no folder at gone.jpg' in capsys.readouterr().err


def test_collating_is_the_loaders(inferencer):
    assert inferencer.collate_fn is pseudo_collate


def test_photos_of_one_name_in_two_folders_keep_both_results(inferencer, images, tmp_path):
    inputs = []
    for folder, image in zip(('a', 'b', 'c'), images):
        (tmp_path / folder).mkdir()
        name = 'q.jpg' if folder == 'c' else 'p.jpg'
        inputs.append(shutil.copy(image, tmp_path / folder / name))
    inferencer(inputs, out_dir=str(tmp_path / 'out'), no_save_pred=False)
    names = ['a/p', 'b/p', 'c/q']
    for kind, suffix in (('vis', 'png'), ('preds', 'json')):
        found = (tmp_path / 'out' / kind).rglob(f'*.{suffix}')
        assert sorted(str(path.relative_to(tmp_path / 'out' / kind)) for path in found) == [
            f'{name}.{suffix}' for name in names
        ]


@pytest.mark.parametrize('stage', ['segmentation', 'calibration'])
def test_masks_of_large_images_are_written_and_painted(
    config, checkpoint, images, stage, monkeypatch
):
    inferencer = LabelPEnetInferencer(config, checkpoint, 'cpu', stage, show_progress=False)
    options = dict(tags=['star', 'ring'], return_vis=True, pred_score_thr=0.1)
    expected = inferencer(images[0], **options)
    assert expected['predictions'][0]['masks']
    monkeypatch.setattr(pieces, 'DENSE_PIXELS', 0)
    found = inferencer(images[0], **options)
    assert found['predictions'] == expected['predictions']
    assert found['visualization'][0].shape == expected['visualization'][0].shape
    plain = inferencer(images[0], **options, draw_pred=False)['visualization'][0]
    np.testing.assert_array_equal(plain, cv2.imread(str(images[0]))[..., ::-1])
    painted = max(found['predictions'][0]['scores']) > 0.1
    assert (found['visualization'][0] != plain).any() == painted


def test_palettes_are_mmdets(config, checkpoint, images):
    pictures = []
    for palette in ('none', 'coco'):
        inferencer = LabelPEnetInferencer(
            config, checkpoint, 'cpu', palette=palette, show_progress=False
        )
        pictures += inferencer(images[0], return_vis=True, pred_score_thr=0.1)['visualization']
    assert (pictures[0] != pictures[1]).any()


def test_stored_proposals_of_another_photo_are_refused(config, checkpoint, images, tmp_path):
    (tmp_path / 'photos').mkdir()
    path = shutil.copy(images[0], tmp_path / 'photos/1.jpg')
    boxes = np.array([[0, 0, 20, 20]])
    height, width = cv2.imread(path).shape[:2]
    proposals = Proposals(boxes, width, height, 'mine', '1', photo_crc=1)
    write_proposals(proposal_path(tmp_path, 'photos', '1'), proposals)
    inferencer = LabelPEnetInferencer(
        config, checkpoint, 'cpu', proposal_root=str(tmp_path), show_progress=False
    )
    with pytest.raises(UserError, match='was made for another photo of the same name and size'):
        inferencer(path)


def test_learned_proposals_need_no_search_and_no_file(learned, images, monkeypatch, tmp_path):
    def searched(*args):
        raise AssertionError('searched')

    monkeypatch.setattr('mmlabelpenet.datasets.transforms.loading.make_proposals', searched)
    inferencer = LabelPEnetInferencer(weights=learned[1], device='cpu', show_progress=False)
    found = inferencer(images)['predictions']
    assert all(len(one['scores']) > 0 for one in found)
    # An array, of another size, in a batch of several.
    array = np.ascontiguousarray(cv2.imread(str(images[0]))[:40, :90])
    assert_same(inferencer([images[1], array], batch_size=2)['predictions'][:1], found[1:2], 1e-5)
    # Given ones are used all the same.
    box = np.array([[3, 4, 40, 50]])
    (given,) = inferencer(images[0], proposals=box)['predictions']
    assert len(given['scores']) < len(found[0]['scores'])
    with pytest.raises(AssertionError, match='searched'):
        LabelPEnetInferencer(*learned, 'cpu', proposals='search', show_progress=False)(images[0])


def test_what_was_searched_does_not_depend_on_what_was_learned(learned, images, predictions):
    inferencer = LabelPEnetInferencer(*learned, 'cpu', proposals='search', show_progress=False)
    assert_same(inferencer(images)['predictions'], predictions)


def test_learned_proposals_are_those_of_the_test_loader(learned, images):
    inferencer = LabelPEnetInferencer(*learned, 'cpu', show_progress=False)
    loader = Runner.build_dataloader(Config.fromfile(learned[0]).corloc_dataloader)
    samples = [sample for batch in loader for sample in inferencer.model.test_step(batch)]
    found = inferencer(images)['predictions']
    assert_same([inferencer.pred2dict(sample) for sample in samples], found)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(proposals='learned'), 'This model has learned no proposals'),
        (dict(proposals='made'), "no 'made' proposals: choose learned, stored, search"),
        (dict(proposals='stored'), 'stored ones need their folder'),
        (dict(proposals='search', proposal_root='a'), 'are search, and proposal_root is a'),
    ],
)
def test_proposals_that_the_model_cannot_have_are_reported(config, checkpoint, arguments, message):
    with pytest.raises(UserError, match=message):
        LabelPEnetInferencer(config, checkpoint, 'cpu', **arguments)


def test_a_checkpoint_without_learned_proposals_is_reported(learned, checkpoint):
    with pytest.raises(UserError, match=r'weights missing \(such as proposals\.head\.'):
        LabelPEnetInferencer(learned[0], checkpoint, 'cpu', proposals='learned')
