"""Which images are corrected, and their file."""

import pytest


@pytest.fixture
def corrections(benchmark_module):
    return benchmark_module('corrections')


def content():
    doubts = [0.1, 0.9, 0.3, 0.8, 0.2] * 4
    images = [
        dict(id=number, file_name=f'{number}.jpg', doubt=doubt)
        for number, doubt in enumerate(doubts)
    ]
    annotations = [dict(id=number, image_id=number // 2) for number in range(40)]
    return dict(images=images, annotations=annotations, categories=[])


def test_as_many_are_chosen_at_random_as_by_doubt(corrections):
    assert corrections.chosen(content(), 0.1, None) == {'1.jpg', '6.jpg'}
    drawn = [corrections.chosen(content(), 0.1, seed) for seed in range(4)]
    assert {len(names) for names in drawn} == {2}
    assert drawn[0] == corrections.chosen(content(), 0.1, 0)
    assert len({*map(frozenset, drawn)}) > 1


def test_a_file_of_some_images_has_their_annotations(corrections):
    part = corrections.take_images(content(), {'3.jpg', '5.jpg'})
    assert [one['id'] for one in part['images']] == [3, 5]
    assert [one['id'] for one in part['annotations']] == [6, 7, 10, 11]
    assert part['categories'] == []
