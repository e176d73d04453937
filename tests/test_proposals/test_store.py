import numpy as np
import pytest
from pycocotools import mask as mask_utils

from mmlabelpenet.proposals import Proposals, proposal_path, read_proposals, write_proposals
from mmlabelpenet.utils import UserError

BOXES = np.array([[0, 0, 20, 12], [3, 4, 9, 11], [5, 0, 20, 6]])


def make(**changes):
    fields = {'bboxes': BOXES, 'width': 20, 'height': 12, 'generator': 'hand', 'version': '1;x'}
    return Proposals(**{**fields, **changes})


def test_round_trip_keeps_boxes_and_origin(tmp_path):
    path = proposal_path(tmp_path, 'VOC2007', '000005')
    write_proposals(path, make(photo_crc=0xFFFFFFFF))
    read = read_proposals(path, image_size=(12, 20))
    assert path == tmp_path / 'VOC2007' / '000005.npz'
    assert read.bboxes.dtype == np.int16
    np.testing.assert_array_equal(read.bboxes, BOXES)
    assert (read.width, read.height, read.photo_crc) == (20, 12, 0xFFFFFFFF)
    assert (read.generator, read.version, read.segments) == ('hand', '1;x', None)


def test_segments_survive_the_round_trip_pixel_by_pixel(tmp_path):
    masks = np.random.default_rng(0).random((12, 20, 3)) > 0.5
    masks[..., 1] = False
    rles = mask_utils.encode(np.asfortranarray(masks.astype(np.uint8)))
    write_proposals(tmp_path / 'a.npz', make(segments=[rle['counts'] for rle in rles]))
    read = read_proposals(tmp_path / 'a.npz', max_num=2)
    np.testing.assert_array_equal(mask_utils.decode(read.segment_rles()), masks[..., :2])


def test_a_subset_is_the_first_boxes(tmp_path):
    write_proposals(tmp_path / 'a.npz', make())
    np.testing.assert_array_equal(read_proposals(tmp_path / 'a.npz', max_num=2).bboxes, BOXES[:2])


def test_no_boxes_are_stored_and_read(tmp_path):
    write_proposals(tmp_path / 'a.npz', make(bboxes=np.zeros((0, 4)), segments=[]))
    read = read_proposals(tmp_path / 'a.npz')
    assert read.bboxes.shape == (0, 4)
    assert read.segments == []


def test_the_same_proposals_give_the_same_file(tmp_path):
    write_proposals(tmp_path / 'a.npz', make())
    write_proposals(tmp_path / 'b.npz', make())
    assert (tmp_path / 'a.npz').read_bytes() == (tmp_path / 'b.npz').read_bytes()


def test_an_image_of_another_size_is_refused(tmp_path):
    write_proposals(tmp_path / 'a.npz', make())
    with pytest.raises(UserError, match=r'a\.npz was made for a photo of 20 x 12 .* 12 x 20'):
        read_proposals(tmp_path / 'a.npz', image_size=(20, 12))


def test_another_image_of_the_same_name_and_size_is_refused(tmp_path):
    path = tmp_path / 'a.npz'
    write_proposals(path, make(photo_crc=7))
    for known in (0, 7):
        assert read_proposals(path, (12, 20), photo_crc=known).photo_crc == 7
    with pytest.raises(UserError, match=r'a\.npz was made for another photo of the same name'):
        read_proposals(path, (12, 20), photo_crc=8)
    write_proposals(path, make())
    assert read_proposals(path, photo_crc=8).photo_crc == 0


def test_missing_and_broken_files_name_the_remedy(tmp_path):
    with pytest.raises(UserError, match=r'no\.npz.*make_proposals'):
        read_proposals(tmp_path / 'no.npz')
    write_proposals(tmp_path / 'a.npz', make())
    whole = (tmp_path / 'a.npz').read_bytes()
    for broken in (b'', b'nonsense', whole[: len(whole) // 2]):
        (tmp_path / 'a.npz').write_bytes(broken)
        with pytest.raises(UserError, match=r'a\.npz cannot be read as a proposal file'):
            read_proposals(tmp_path / 'a.npz')


def test_an_image_too_large_for_int16_is_refused(tmp_path):
    with pytest.raises(UserError, match='40000 x 12'):
        write_proposals(tmp_path / 'a.npz', make(width=40000))
    assert not list(tmp_path.iterdir())


def test_boxes_may_exceed_the_image_by_a_pixel(tmp_path):
    write_proposals(tmp_path / 'a.npz', make(bboxes=[[-1, 0, 21, 13]]))
    assert read_proposals(tmp_path / 'a.npz').bboxes.tolist() == [[-1, 0, 21, 13]]


def test_unusable_boxes_can_be_inspected(tmp_path):
    write_proposals(tmp_path / 'a.npz', make(bboxes=[[9, 0, 2, 13]]))
    with pytest.raises(UserError, match=r'such as \(9, 0, 2, 13\), are no x1, y1, x2, y2'):
        read_proposals(tmp_path / 'a.npz')
    assert read_proposals(tmp_path / 'a.npz', inspect=True).bboxes.tolist() == [[9, 0, 2, 13]]
