import unicodedata

import pytest

from mmlabelpenet.datasets import read_class_folders, read_tag_file
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
            '{"a.jpg": 7}',
            't.json',
            r't\.json has 7 in entry 1 instead of names',
        ),
        ('{"a.jpg": [1]}', 't.json', r'\[1\] in entry 1 instead of names'),
        ('{"a.jpg"', 't.json', r't\.json cannot be read as a JSON tag file'),
        ('[{"photo": "a.jpg"}]', 't.json', r'no key "tags" in entry 1'),
        ('7', 't.json', 't.json holds 7 alone'),
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


TABLE = [('a.jpg', ['dog', 'cat'], []), ('sub/b.png', ['cat'], []), ('c.jpg', [], ['dog'])]


@pytest.mark.parametrize(
    ('text', 'classes'),
    [
        ('filename,dog,cat\na.jpg,1,1\nsub/b.png,0,1\nc.jpg,?,0\n', ('dog', 'cat')),
        ('img; dog; cat\na.jpg;1.0;1.0\nsub/b.png;0.0;1.0\nc.jpg;?;0.0\n', ('dog', 'cat')),
        ('Bild,dog,cat\na.jpg,1,1\nsub/b.png,-1,1\nc.jpg,?,-1\n', ('dog', 'cat')),
        (
            'image_name,dog,cat\na.jpg,True,True\nsub/b.png,False,True\nc.jpg,?,False\n',
            ('dog', 'cat'),
        ),
        ('id,file_name,dog,cat\n1,a.jpg,x,x\n2,sub/b.png,,x\n3,c.jpg,?,\n', ('dog', 'cat')),
        (',img,dog,cat\n0,a.jpg,yes,yes\n1,sub/b.png,no,yes\n2,c.jpg,?,no\n', ('dog', 'cat')),
        ('ImageID,LabelName\na.jpg,dog\na.jpg,cat\nsub/b.png,cat\nc.jpg,?dog\n', None),
        (
            'image,label,confidence\na.jpg,dog,0.9\na.jpg,cat,1\nsub/b.png,cat,0.5\nsub/b.png,dog,0\n'
            'c.jpg,?dog,1\n',
            None,
        ),
        (
            'file,xmin,ymin,xmax,ymax,class,date\na.jpg,1,2,3,4,dog,2024-01-01\n'
            'a.jpg,5,6,7,8,cat,2024-01-01\nsub/b.png,1,2,3,4,cat,\nc.jpg,1,2,3,4,?dog,\n',
            None,
        ),
        ('tags,photo\ndog;cat,a.jpg\ncat,sub/b.png\n?dog,c.jpg\n', None),
        ('photo,labels\na.jpg,"dog, cat"\nsub/b.png,"cat"\nc.jpg,?dog\n', None),
        ("photo,labels\na.jpg,\"['dog', 'cat']\"\nsub/b.png,['cat']\nc.jpg,\"['?dog']\"\n", None),
        ('photo,tags,,\na.jpg,dog,cat,\nsub/b.png,cat,,\nc.jpg,?dog,,\n', None),
        ('sep=;\na.jpg;dog;cat\nsub/b.png;cat\nc.jpg;?dog\n', None),
        ("photo,labels\na.jpg,['dog' 'cat']\nsub/b.png,['cat']\nc.jpg,['?dog']\n", None),
        (
            'photo,labels\na.jpg,"[""dog"", \'cat\']"\nsub/b.png,[\'cat\']\nc.jpg,[\'?dog\']\n',
            None,
        ),
        ('./a.jpg,dog,cat\nsub//b.png,cat\nc.jpg,?dog\n', None),
    ],
)
def test_tables_of_other_programs(tmp_path, text, classes):
    content = read(tmp_path, text)
    assert rows(content) == TABLE
    assert content.classes == (classes or tuple(sorted(content.classes)))
    assert content.problems == []


def test_a_list_of_python_may_mix_quotation_marks(tmp_path):
    content = read(tmp_path, 'photo,tags\na.jpg,"[""it\'s"", \'x\']"\n')
    assert rows(content) == [('a.jpg', ["it's", 'x'], [])]


def test_a_cell_may_be_long(tmp_path):
    names = [f'c{i}' for i in range(30_000)]
    assert read(tmp_path, f'a.jpg,{"|".join(names)}\n').lines[0].tags == names


def test_a_tag_may_hold_a_comma_or_be_a_number_if_the_file_lists_it(tmp_path):
    content = read(tmp_path, '#classes,"tench, Tinca tinca",7\na.jpg,"tench, Tinca tinca",7\n')
    assert rows(content) == [('a.jpg', ['tench, Tinca tinca', '7'], [])]
    text = '{"classes": ["7"], "photos": {"a.jpg": ["7"]}}'
    assert rows(read(tmp_path, text, 'a.json')) == [('a.jpg', ['7'], [])]


def test_a_listed_order_of_classes_holds_for_a_table_of_columns(tmp_path):
    assert read(tmp_path, '#classes,cat,dog\nimage,dog,cat\na.jpg,1,0\n').classes == ('cat', 'dog')


def test_a_tag_that_is_only_absent_is_no_class(tmp_path):
    assert read(tmp_path, 'image,label,confidence\na,dog,1\na,cat,0\n').classes == ('dog',)


def test_json_may_name_its_keys_otherwise(tmp_path):
    text = '[{"file_name": "a.jpg", "id": 3, "labels": ["dog"]}]'
    assert rows(read(tmp_path, text, 'a.json')) == [('a.jpg', ['dog'], [])]


def test_letters_match_in_any_unicode_normalisation(tmp_path):
    content = read(tmp_path, f'a.jpg,{unicodedata.normalize("NFD", "Häkchen")}\nb.jpg,Häkchen\n')
    assert content.classes == ('Häkchen',)


def test_utf_16_of_a_spreadsheet(tmp_path):
    assert rows(read(tmp_path, 'a.jpg\tdog\n', encoding='utf-16')) == [('a.jpg', ['dog'], [])]


def test_a_folder_for_each_class(tmp_path):
    names = ('@eaDir', 'dog/@eaDir', '__pycache__', 'lost+found', '$RECYCLE.BIN', '#recycle')
    ignored = [f'{name}/x.jpg' for name in names]
    for name in ('dog/b.jpg', 'dog/a.png', 'cat/a.jpg', '.git/c.jpg', 'dog/notes.txt', *ignored):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).touch()
    (tmp_path / 'emu').mkdir()
    content = read_class_folders(tmp_path)
    assert content.classes == ('cat', 'dog', 'emu')
    assert rows(content) == [
        ('cat/a.jpg', ['cat'], []),
        ('dog/a.png', ['dog'], []),
        ('dog/b.jpg', ['dog'], []),
    ]
