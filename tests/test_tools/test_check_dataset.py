import image_kinds
import pytest
from PIL import Image

from .conftest import REPOSITORY

CONFIG = REPOSITORY / 'configs/label_penet/label-penet_effnet-lite0_tags.py'


@pytest.fixture
def pets(tmp_path):
    folder = tmp_path / 'pets'
    folder.mkdir()
    for number, name in enumerate('abcd'):
        Image.new('RGB', (20 + number, 16)).save(folder / f'{name}.jpg')
    (folder / 'tags.csv').write_text(''.join(f'{name}.jpg,dog\n' for name in 'abcd'))
    return folder


def options(pets, *more):
    return ['--cfg-options', f'data_root={pets}', 'tag_file=tags.csv', *more]


def test_valid_data_ends_with_code_0(tool, pets, capsys):
    for number, name in enumerate('efgh'):
        Image.new('RGB', (30 + number, 16)).save(pets / f'{name}.jpg')
    with open(pets / 'tags.csv', 'a') as file:
        file.writelines(f'{name}.jpg,cat;?dog\n' for name in 'efgh')
    tool('misc/check_dataset', CONFIG, '--min-images', '4', *options(pets))
    said = capsys.readouterr().out
    assert '8 to train, 8 to test' in said
    assert 'as understood:\n  a.jpg: dog\n  b.jpg: dog\n  c.jpg: dog\n' in said
    assert '| dog     |                 4 |' in said
    assert said.endswith('0 errors, 0 warnings\n')


def test_a_class_in_every_image_is_reported(tool, pets, capsys):
    tool('misc/check_dataset', CONFIG, '--min-images', '1', *options(pets))
    said = capsys.readouterr().out
    assert 'WARNING: class in every photo (1)\n  The class dog is in every training photo' in said
    assert said.endswith('0 errors, 1 warnings\n')


def test_few_images_are_an_error_only_in_strict_mode(tool, pets, capsys):
    tool('misc/check_dataset', CONFIG, '--min-images', '5', *options(pets))
    assert 'WARNING: class with few photos (1)' in capsys.readouterr().out
    with pytest.raises(SystemExit) as left:
        tool('misc/check_dataset', CONFIG, '--strict', '--min-images', '5', *options(pets))
    assert left.value.code == 1


def test_unreadable_images_end_with_code_1_and_can_be_skipped(tool, pets, tmp_path, capsys):
    image_kinds.make_truncated(pets, 'b.jpg')
    (pets / 'c.jpg').write_bytes(b'no photo')
    skip = tmp_path / 'skip.txt'
    with pytest.raises(SystemExit) as left:
        tool(
            'misc/check_dataset', CONFIG, '--max-lines', '1', '--write-skip', skip, *options(pets)
        )
    assert left.value.code == 1
    said = capsys.readouterr().out
    assert 'ERROR: unreadable (2)\n' in said
    assert 'b.jpg is damaged or no photo' in said
    assert '  and 1 more\n' in said
    assert skip.read_text() == 'b\nc\n'
    tool('misc/check_dataset', CONFIG, *options(pets, f'skip={skip}'))
    assert '2 to train' in capsys.readouterr().out


def test_a_wrong_path_ends_with_code_2(tool, pets, capsys):
    with pytest.raises(SystemExit) as left:
        tool('misc/check_dataset', pets / 'no.py')
    assert left.value.code == 2
    assert capsys.readouterr().err.startswith('error: There is no config')
