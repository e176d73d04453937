import pytest

from mmlabelpenet.datasets import read_tag_file
from mmlabelpenet.utils import UserError

CSV = 'a.jpg,dog;cat\nsub/b.png,cat\nc.jpg,\n'


def read(tmp_path, text, name='tags.csv', encoding='utf-8'):
    (tmp_path / name).write_text(text, encoding=encoding)
    return read_tag_file(tmp_path / name)


def rows(content):
    return [(line.image, line.tags, line.unsure) for line in content.lines]


EXPECTED = [('a.jpg', ['dog', 'cat'], []), ('sub/b.png', ['cat'], []), ('c.jpg', [], [])]


@pytest.mark.parametrize(
    'text',
    [
        CSV,
        'photo,tags\n' + CSV,
        'Image,tag 1,tag 2\na.jpg,dog,cat\nsub/b.png,cat,\nc.jpg,,\n',
        'a.jpg;dog;cat\nsub/b.png;cat\nc.jpg\n',
        'a.jpg\tdog|cat\nsub/b.png\tcat\n\nc.jpg\t\n',
        '"a.jpg", "dog ; cat"\r\nsub/b.png, cat\r\nc.jpg\r\n',
    ],
)
def test_csv_layouts(tmp_path, text):
    content = read(tmp_path, text)
    assert rows(content) == EXPECTED
    assert content.classes == ('cat', 'dog')
    assert content.problems == []


@pytest.mark.parametrize(
    ('text', 'name'),
    [
        ('{"a.jpg": ["dog", "cat"], "sub/b.png": ["cat"], "c.jpg": []}', 'a.json'),
        (
            '[{"photo": "a.jpg", "tags": ["dog", "cat"]}, {"photo": "sub/b.png", '
            '"tags": ["cat"]}, {"photo": "c.jpg", "tags": []}]',
            'a.json',
        ),
        (
            '{"photo": "a.jpg", "tags": ["dog", "cat"]}\n{"photo": "sub/b.png", "tags": ["cat"]}'
            '\n\n{"photo": "c.jpg", "tags": []}\n',
            'a.jsonl',
        ),
    ],
)
def test_json_layouts(tmp_path, text, name):
    assert rows(read(tmp_path, text, name)) == EXPECTED


def test_a_byte_order_mark_and_any_letters(tmp_path):
    content = read(tmp_path, 'Zoë 犬.jpg,犬;Häkchen\n', encoding='utf-8-sig')
    assert rows(content) == [('Zoë 犬.jpg', ['犬', 'Häkchen'], [])]


def test_a_question_mark_makes_a_tag_unsure(tmp_path):
    assert rows(read(tmp_path, 'a.jpg,dog;?cat\n')) == [('a.jpg', ['dog'], ['cat'])]


def test_the_file_may_list_its_classes(tmp_path):
    assert read(tmp_path, '#classes,dog,cat,emu\n' + CSV).classes == ('dog', 'cat', 'emu')
    text = '{"classes": ["dog", "cat"], "photos": {"a.jpg": ["cat"]}}'
    assert read(tmp_path, text, 'a.json').classes == ('dog', 'cat')


def test_unusable_lines_are_reported(tmp_path):
    problems = read(tmp_path, '#classes,dog\na.jpg,dog\na.jpg,dog\n,dog\nb.jpg,dgo\n').problems
    assert len(problems) == 3
    assert 'names the photo a.jpg twice' in problems[0]
    assert 'names no photo in line 4' in problems[1]
    assert 'tags dgo that its own list of classes lacks' in problems[2]


@pytest.mark.parametrize(
    ('text', 'name', 'message'),
    [
        ('', 't.csv', r't\.csv contains no tag: write one line per photo'),
        ('a.jpg\nb.jpg\n', 't.csv', 'contains no tag'),
        (
            '{"a.jpg": "dog"}',
            't.json',
            r"t\.json cannot be read as a JSON tag file .*'dog' is no list",
        ),
        ('{"a.jpg": [1]}', 't.json', r'\[1\] is no list of names'),
        ('{"a.jpg"', 't.json', r't\.json cannot be read as a JSON tag file'),
        ('[{"photo": "a.jpg"}]', 't.json', r"KeyError: 'tags'"),
        ('7', 't.json', 'cannot be read as a JSON tag file'),
    ],
)
def test_bad_files_are_named(tmp_path, text, name, message):
    with pytest.raises(UserError, match=message):
        read(tmp_path, text, name)


def test_missing_and_wrongly_encoded_files_are_named(tmp_path):
    with pytest.raises(UserError, match=r'no\.csv cannot be read'):
        read_tag_file(tmp_path / 'no.csv')
    with pytest.raises(UserError, match='save it as UTF-8'):
        read(tmp_path, 'Zoë.jpg,dog\n', encoding='latin-1')
