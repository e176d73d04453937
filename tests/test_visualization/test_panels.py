import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from PIL import Image
from pycocotools import mask as mask_api

from mmlabelpenet.structures import Evidence, Maps
from mmlabelpenet.visualization import (
    Canvas,
    InstanceVisualizer,
    Panel,
    Style,
    arrange_panels,
    compose_panels,
    paint_panels,
    save_picture,
)
from mmlabelpenet.visualization.canvas import OVERSAMPLING, text_colour_on
from mmlabelpenet.visualization.panels import GAP, HEADER, shown_classes

RED, BLUE = (255, 0, 0), (0, 0, 255)
STYLE = Style(('cat', 'dog'), (RED, BLUE), panel_width=80)
WHITE = np.full((40, 80, 3), 255, dtype=np.uint8)


def make_instances(score=0.9, masks=True, label=0):
    made = InstanceData(
        bboxes=torch.tensor([[10.0, 10.0, 39.0, 29.0]]),
        labels=torch.tensor([label]),
        scores=torch.tensor([score]),
    )
    if masks:
        mask = torch.zeros(1, 40, 80, dtype=torch.bool)
        mask[:, 10:30, 10:40] = True
        made.masks = mask
    return made


def make_evidence(**fields):
    return Evidence(metainfo={'img_shape': (40, 80)}, **fields)


def make_full_evidence():
    # The input is padded from 80 to 96 pixels in width.
    attention = torch.zeros(2, 5, 12)
    attention[0, 2, 2] = 1
    attention[1, :, 10:] = 1
    pseudo = make_instances(masks=False)
    pseudo.masks = attention[:1]
    return make_evidence(
        tags=torch.tensor([1.0, 0.0]),
        proposals=InstanceData(
            bboxes=torch.tensor([[0.0, 0.0, 20.0, 20.0]]).repeat(7, 1), scores=torch.rand(7, 2)
        ),
        attention=Maps(attention, 8),
        pseudo_instances=pseudo,
        instance_stride=8,
    )


def panel_of(picture, index):
    left = GAP + index * (80 + GAP)
    return picture[HEADER : HEADER + 40, left : left + 80].astype(int)


def test_all_panels_are_in_one_row_with_equal_widths():
    picture = compose_panels(
        WHITE, make_instances(), STYLE, make_full_evidence(), make_instances()
    )
    assert picture.shape == (HEADER + 40 + GAP, GAP + 7 * (80 + GAP), 3)
    assert np.array_equal(panel_of(picture, 0), WHITE)


def test_validated_labels_are_painted_with_their_weights(monkeypatch):
    texts = []
    monkeypatch.setattr(Canvas, 'paint_label', lambda _, text, *args: texts.append(text))
    evidence = make_full_evidence()
    evidence.validated = evidence.pseudo_instances.clone()
    evidence.validated.weights = torch.tensor([0.25])
    panels = paint_panels(WHITE, make_instances()[:0], STYLE, evidence)
    assert [panel.title for panel in panels][-3:] == ['pseudo masks', 'validated', 'result']
    assert texts[-1] == 'cat 0.25'


def test_panels_can_be_arranged_in_rows():
    low, high = (Panel('a', 'b', Image.new('RGB', (80, side), 'red')) for side in (40, 60))
    picture = arrange_panels([[low] * 4, [low, high, low]])
    assert picture.shape == (2 * (HEADER + GAP) + 40 + 60, GAP + 4 * (80 + GAP), 3)
    second = picture[2 * HEADER + GAP + 40 :]
    assert (second[:60, 2 * GAP + 80 : 2 * GAP + 160] == RED).all()
    assert (second[40:60, GAP : GAP + 80] == 255).all()


def test_without_evidence_image_and_result_remain():
    picture = compose_panels(WHITE, make_instances(), STYLE)
    assert picture.shape[1] == GAP + 2 * (80 + GAP)


def test_attention_is_cut_to_the_image_and_to_tagged_classes():
    picture = compose_panels(WHITE, make_instances(), STYLE, make_full_evidence())
    attention = panel_of(picture, 2)
    redness = attention[..., 0] - attention[..., 2]
    # cell (2, 2) of stride 8 is centred on (20, 20); class 1 has attention but no tag
    assert np.unravel_index(redness.argmax(), redness.shape) == pytest.approx((20, 20), abs=1)
    assert redness[20, 20] > 100
    assert np.abs(redness[:, 60:]).max() == 0


@pytest.mark.parametrize('as_rles', [False, True])
def test_a_mask_is_painted_at_its_place(as_rles):
    instances = make_instances()
    if as_rles:
        columns = np.asfortranarray(instances.masks.numpy().transpose(1, 2, 0).astype(np.uint8))
        instances = make_instances(masks=False)
        instances.masks = mask_api.encode(columns)
    result = panel_of(compose_panels(WHITE, instances, STYLE), 1)
    assert result[24, 25, 0] - result[24, 25, 2] > 100
    assert result[36, 60].tolist() == [255, 255, 255]


def test_predictions_below_the_threshold_are_not_painted():
    result = panel_of(compose_panels(WHITE, make_instances(score=0.29), STYLE), 1)
    assert np.array_equal(result, WHITE)


@pytest.mark.parametrize('masks', [True, False])
def test_no_instances_no_proposals_no_tags(masks):
    nothing = make_instances(masks=masks)[:0]
    evidence = make_evidence(
        tags=torch.zeros(2),
        proposals=InstanceData(bboxes=torch.zeros(0, 4), scores=torch.zeros(0, 2)),
        attention=Maps(torch.zeros(2, 5, 10), 8),
        pseudo_instances=nothing,
        instance_stride=8,
    )
    picture = compose_panels(WHITE, nothing, STYLE, evidence, nothing)
    assert np.array_equal(panel_of(picture, 0), WHITE)


def test_boxes_and_labels_are_clipped_to_the_image():
    instances = make_instances(masks=False)
    instances.bboxes = torch.tensor([[70.0, -5.0, 500.0, 500.0]])
    result = panel_of(compose_panels(WHITE, instances, STYLE), 1)
    assert (result[2, :, 2] < 128).sum() > 10


def test_only_the_tagged_classes_are_shown():
    assert shown_classes(make_evidence(tags=torch.tensor([0.0, 1.0]))) == [1]
    scores = torch.tensor([0.2, 0.4])
    assert shown_classes(make_evidence(image_scores=scores)) == [1]
    assert shown_classes(make_evidence(image_scores=scores + 0.4)) == [1, 0]
    assert shown_classes(make_evidence()) == []


def test_heat_maps_mix_their_colours():
    canvas = Canvas(WHITE, width=80)
    canvas.paint_heat(np.ones((2, 5, 10)), [RED, BLUE], strength=1)
    assert np.asarray(canvas.finish())[20, 40].tolist() == pytest.approx([127, 0, 127], abs=1)


def test_a_canvas_is_painted_at_a_larger_scale():
    canvas = Canvas(WHITE, width=100)
    assert canvas.image.size == (100 * OVERSAMPLING, 50 * OVERSAMPLING)
    assert canvas.finish().size == (100, 50)


def test_large_pictures_are_painted_at_their_own_scale():
    canvas = Canvas(np.zeros((2001, 2000, 3), dtype=np.uint8), width=2000)
    assert canvas.image.size == canvas.size == canvas.finish().size == (2000, 2001)


def test_an_image_of_the_same_size_keeps_its_pixels():
    image = np.random.default_rng(0).integers(0, 256, (40, 80, 3), dtype=np.uint8)
    assert np.array_equal(np.asarray(Canvas(image, width=80).finish()), image)


def test_an_object_stays_visible_through_its_mask():
    image = np.full((100, 100, 3), 100, dtype=np.uint8)
    image[::4] = 200
    mask = np.zeros((100, 100), dtype=bool)
    mask[20:80, 20:80] = True
    canvas = Canvas(image, width=100)
    canvas.paint_mask(mask, RED)
    painted = np.asarray(canvas.finish()).astype(int)
    inner = painted[30:70, 30:70]
    assert np.ptp(inner[..., 1]) == pytest.approx(60, abs=2)
    assert (inner[..., 0] - inner[..., 1] > 80).all()
    # the outline is solid
    assert painted[50, 20].tolist() == [255, 0, 0]


@pytest.mark.parametrize(
    ('size', 'expected'),
    [((320, 240), 12), ((500, 375), 15), ((1000, 800), 32), ((4000, 3000), 36)],
)
def test_the_size_of_texts_follows_from_the_shorter_side(size, expected):
    image = np.zeros((size[1], size[0], 3), dtype=np.uint8)
    assert Canvas(image, width=size[0]).text_size(['cat 0.90']) == pytest.approx(expected)


@pytest.mark.parametrize('corner', [(0, 0), (78, 0), (78, 38), (0, 38), (40, 20)])
def test_a_label_with_its_plate_stays_inside_the_picture(corner):
    text = 'a very long name of a class 0.90'
    canvas = Canvas(WHITE, width=80)
    box = np.array([*corner, *corner], dtype=float)
    canvas.paint_label(text, box, (40, 80), BLUE, canvas.text_size([text, 'cat 0.95']))
    painted = np.asarray(canvas.image)
    plate = (painted == BLUE).all(-1)
    rows, columns = np.flatnonzero(plate.any(1)), np.flatnonzero(plate.any(0))
    assert np.ptp(columns) > 60 * canvas.scale
    # whole: its first and last row and column have the plate's colour throughout
    assert plate[[rows[0], rows[-1]], columns[0] : columns[-1] + 1].all()
    assert plate[rows[0] : rows[-1] + 1, [columns[0], columns[-1]]].all()


def test_all_labels_of_a_picture_have_one_size(monkeypatch):
    sizes = []
    monkeypatch.setattr(Canvas, 'paint_label', lambda *args: sizes.append(args[-1]))
    instances = InstanceData.cat([make_instances(masks=False)] * 3)
    instances.bboxes = torch.tensor([[0.0, 0, 4, 4], [0, 0, 30, 30], [0, 0, 80, 40]])
    compose_panels(WHITE, instances, Style(('a very long name of a class', 'dog')))
    assert len(sizes) == 3
    assert len({*sizes}) == 1


def test_the_visualizer_of_single_images_paints_as_the_panels_do():
    visualizer = InstanceVisualizer(name='painted')
    visualizer.dataset_meta = dict(classes=STYLE.classes, palette=list(STYLE.palette))
    sample = DetDataSample(pred_instances=make_instances())
    visualizer.add_datasample('a', WHITE, sample, draw_gt=False)
    picture = compose_panels(WHITE, make_instances(), STYLE)
    assert np.array_equal(visualizer.get_image(), panel_of(picture, 1))


def test_text_is_readable_on_any_colour():
    assert text_colour_on((255, 255, 0)) == (20, 20, 20)
    assert text_colour_on((0, 0, 128)) == (255, 255, 255)


def test_a_picture_is_written_whole(tmp_path):
    save_picture(WHITE, tmp_path / 'new' / 'picture.png')
    assert np.array_equal(np.asarray(Image.open(tmp_path / 'new' / 'picture.png')), WHITE)
    assert [path.name for path in (tmp_path / 'new').iterdir()] == ['picture.png']
