"""Forms of tag files that other programs write, and classes that may be meant otherwise."""

import json
import logging
from pathlib import Path

import pytest
from PIL import Image

from mmlabelpenet.datasets import TagFileDataset, read_class_folders, read_tag_file
from mmlabelpenet.datasets.tag_names import is_image_name
from mmlabelpenet.utils import IMAGE_SUFFIXES, OTHER_SUFFIXES

EXPECTED = {'a.jpg': ['dog'], 'b.jpg': ['cat', '?dog']}
STUDIO = 'annotation_id,annotator,choice,created_at,id,image,lead_time,updated_at\n'


def read(tmp_path, content, name='tags.csv'):
    if not isinstance(content, str):
        content = json.dumps(content)
    (tmp_path / name).write_text(content, encoding='utf-8')
    return read_tag_file(tmp_path / name)


def tags_of(content):
    return {
        line.image: sorted(line.tags) + [f'?{name}' for name in line.unsure]
        for line in content.lines
    }


def task(image, *annotations):
    """A task of Label Studio with the classes of each annotation."""
    results = [[{'value': {'choices': names}, 'type': 'choices'}] for names in annotations]
    return {'id': 1, 'data': {'image': image}, 'annotations': [{'result': one} for one in results]}


@pytest.mark.parametrize(
    'text',
    [
        'photo,dog,cat\na.jpg,yes,\nb.jpg,?,yes\n',
        'photo,dog,cat\na.jpg,TRUE,\nb.jpg,?,TRUE\n',
        'photo,dog,cat\na.jpg,✓,\nb.jpg,?,✓\n',
        'photo,dog,cat\na.jpg,Y,N\nb.jpg,?,y\n',
        ',photo,dog,cat\n0,a.jpg,1,0\n1,b.jpg,?,1\n',
        'Unnamed: 0,photo,dog,cat\n0,a.jpg,1,0\n1,b.jpg,?,1\n',
        'id,photo,dog,cat\n1,a.jpg,1,0\n2,b.jpg,?,1\n',
        'filename, Unlabeled, dog, cat\na.jpg, 0, 1, 0\nb.jpg, 0, ?, 1\n',
        'photo,dog,cat,total\na.jpg,1,0,1\nb.jpg,?,1,2\n',
        'photo,do\u200bg,cat\na.jpg,1\u200b,0\nb.jpg,?,1\n',
        'image,label,label_name\na.jpg,0,dog\nb.jpg,1,cat\nb.jpg,2,?dog\n',
        'image,class_name,class\na.jpg,dog,0.0\nb.jpg,cat,1.0\nb.jpg,?dog,2.0\n',
        'image,labels,count\na.jpg,dog,1\nb.jpg,cat;?dog,2\n',
        'image,label,split\na.jpg,dog,train\nb.jpg,cat,train\nb.jpg,?dog,train\n',
        f'{STUDIO}1,1,dog,2024,7,a.jpg,3.2,2024\n'
        '2,1,"{""choices"": [""cat"", ""?dog""]}",,,b.jpg,,\n',
        'image,choice,annotator\na.jpg,dog,1\na.jpg,dog,2\nb.jpg,"{""choices"":[""cat"",""?dog""]}",1\n',
        '\u200ba.jpg,\ufeffdog\u200b\nb.jpg\u00a0,c\u00adat;?dog\n',
    ],
)
def test_tables(tmp_path, text):
    content = read(tmp_path, text)
    assert tags_of(content) == EXPECTED
    assert set(content.classes) == {'dog', 'cat'}
    assert content.problems == content.doubts == []


@pytest.mark.parametrize(
    'content',
    [
        {'a.jpg': {'dog': 1, 'cat': 0}, 'b.jpg': {'dog': '?', 'cat': 1}},
        {'a.jpg': {'dog': True, 'cat': False}, 'b.jpg': {'dog': '?', 'cat': True}},
        {'a.jpg': {'dog': 1}, 'b.jpg': {'dog': '?', 'cat': 1}},
        {'a.jpg': {'dog': 1}, 'b.jpg': ['cat', '?dog']},
        {'a.jpg': 'dog', 'b.jpg': ['cat', '?dog']},
        [['a.jpg', 'dog'], ['b.jpg', ['cat', '?dog']]],
        {'a.jpg': {'label': 'dog'}, 'b.jpg': {'labels': ['cat', '?dog']}},
        {'photos': {'a.jpg': {'dog': 1, 'cat': 0}, 'b.jpg': {'dog': '?', 'cat': 1}}},
        [['a.jpg', ['dog']], ['b.jpg', ['cat', '?dog']]],
        [['a.jpg', {'dog': 1, 'cat': 0}], ['b.jpg', {'dog': '?', 'cat': 1}]],
        [{'image': 'a.jpg', 'dog': 1, 'cat': 0}, {'image': 'b.jpg', 'dog': '?', 'cat': 1}],
        [
            {'image': i, 'label': t}
            for i, t in (('a.jpg', 'dog'), ('b.jpg', 'cat'), ('b.jpg', '?dog'))
        ],
        [task('a.jpg', ['dog'], ['dog']), task('b.jpg', ['cat', '?dog'])],
        [
            {'image': 'a.jpg', 'id': 1, 'choice': 'dog', 'annotator': 1, 'lead_time': 3.2},
            {'image': 'b.jpg', 'id': 2, 'choice': {'choices': ['cat', '?dog']}, 'annotator': 1},
        ],
        [
            {'image': 'a.jpg', 'label': [{'x': 1, 'rectanglelabels': ['dog']}]},
            {'image': 'b.jpg', 'label': [{'brushlabels': ['cat']}, {'brushlabels': ['?dog']}]},
        ],
        {'a.jpg': [' dog\u200b'], 'b.jpg\u200b': ['c\u00adat', '?dog\u00a0']},
    ],
)
def test_json(tmp_path, content):
    found = read(tmp_path, content, 'tags.json')
    assert tags_of(found) == EXPECTED
    assert set(found.classes) == {'dog', 'cat'}
    assert found.problems == found.doubts == []


def test_metadata_of_hugging_face(tmp_path):
    lines = [
        {'file_name': 'a.jpg', 'label': 'dog'},
        {'file_name': 'b.jpg', 'labels': ['cat', '?dog']},
    ]
    found = read(tmp_path, '\n'.join(map(json.dumps, lines)), 'metadata.jsonl')
    assert tags_of(found) == EXPECTED


@pytest.mark.parametrize('cell', ['', 'nan', 'NaN', '<NA>'])
def test_an_empty_cell_of_pandas_is_no_tag(tmp_path, cell):
    assert tags_of(read(tmp_path, f'photo,tags\na.jpg,dog\nb.jpg,{cell}\n'))['b.jpg'] == []


def test_a_listed_class_may_have_any_name(tmp_path):
    names = ['-dog', 'dog?', 'dog', 'dog;cat', 'dog/cat', 'not dog', 'Unlabeled', 'background']
    content = {'classes': names, 'photos': {'a.jpg': names[:1], 'b.jpg': names[1:]}}
    found = read(tmp_path, content, 'tags.json')
    assert [line.tags for line in found.lines] == [names[:1], names[1:]]
    # That some of them differ only in marks is still said.
    assert len(found.doubts) == 2
    text = '#classes,dog,valid\nphoto,dog,valid\na.jpg,1,1\nb.jpg,1,0\n'
    assert tags_of(read(tmp_path, text)) == {'a.jpg': ['dog', 'valid'], 'b.jpg': ['dog']}


def test_names_that_look_the_same_are_the_same(tmp_path):
    found = read(tmp_path, 'a.jpg,traffic\u00a0light\nb.jpg,traffic  light;traf\u200bfic light\n')
    assert found.classes == ('traffic light',)
    # Joiners are seen between letters of other scripts.
    assert read(tmp_path, 'a.jpg,می\u200cخواهم\n').classes == ('می\u200cخواهم',)


@pytest.mark.parametrize(
    ('text', 'name', 'meaning'),
    [
        ('a.jpg,dog\nb.jpg,background\n', "'background'", 'that a photo shows no class'),
        ('photo,dog,other\na.jpg,1,0\nb.jpg,0,1\n', "'other'", 'that a photo shows no class'),
        ('a.jpg,dog\nb.jpg,unknown\n', "'unknown'", 'that a photo shows no class'),
        ('a.jpg,animal/dog\nb.jpg,cat\n', "'animal/dog'", 'separate tags by `;`'),
        ('a.jpg,dog and cat\n', "'dog and cat'", 'separate tags by `;`'),
        ('a.jpg,hot dog;hot\nb.jpg,dog\n', "'hot dog'", 'separate tags by `;`'),
        (
            'image_name,tags\na,haze primary\nb,clear primary\n',
            "'clear primary', 'haze primary'",
            'if the blanks separate them',
        ),
        ('a.jpg,dog\nb.jpg,no dog\n', "'no dog'", 'that another one is absent'),
        ('photo,dog,is_outdoor\na.jpg,1,0\nb.jpg,0,1\n', "'is_outdoor'", 'remove the column'),
        ('a.jpg,Dog\nb.jpg,dog\n', "'Dog', 'dog'", 'use one name if they are the same'),
        ('a.jpg,dog;ｄｏｇ\n', "'dog', 'ｄｏｇ'", 'use one name if they are the same'),
        ('a.jpg,cafÃ©;café\n', "'cafÃ©'", 'save the file as UTF-8'),
        ('a.jpg,c\u0430t;cat\n', "'c\u0430t'", 'letters of two alphabets'),
        ('a.jpg,traffic light;traffic_light\n', 'light', 'use one name if they are the same'),
        ('photo,tags\na.jpg,犬、猫\nb.jpg,鳥\n', '犬、猫', 'separate tags by `;`'),
        ('a.jpg,dog cat\nb.jpg,cat\n', "'dog cat'", 'if the blanks separate them'),
        ('a.jpg,dog;etc.\nb.jpg,cat\n', "'etc.'", 'that a photo shows no class'),
        ('a.jpg,hot%20dog\nb.jpg,cat\n', "'hot%20dog'", 'if a program has changed it'),
        ('a.jpg,1-Sep\nb.jpg,cat\n', "'1-Sep'", 'if a program has changed it'),
        ('photo,dog,sex\na.jpg,1,0\nb.jpg,0,1\n', "'sex'", 'remove the column'),
    ],
)
def test_doubtful_classes_are_named(tmp_path, text, name, meaning):
    (doubt,) = read(tmp_path, text).doubts
    assert doubt.startswith(f'{tmp_path}/tags.csv has ')
    assert name in doubt
    assert meaning in doubt


def test_usual_classes_raise_no_doubt(tmp_path):
    names = 'polar bear;hot dog;T-shirt;BMW X5;C++;/m/0bt9lr;Boeing 737-800;train;16:9 screen'
    assert read(tmp_path, f'a.jpg,{names}\nb.jpg,bear\n').doubts == []
    assert read(tmp_path, 'a.jpg,🐶;🚗;C#;C++;C;A+;A-;Müller;犬\n').doubts == []
    assert read(tmp_path, 'photo,is_dog,is_cat\na.jpg,1,0\nb.jpg,0,1\n').doubts == []
    assert read(tmp_path, 'a.jpg,R2-D2;May;col·lecció;copy machine\n').doubts == []


def test_objects_in_lines_are_read_from_json(tmp_path):
    text = '{"photo": "a.jpg", "tags": ["dog"]}\n{"photo": "b.jpg", "tags": ["cat", "?dog"]}\n'
    assert tags_of(read(tmp_path, text, 'tags.json')) == EXPECTED


def test_copies_of_a_photo_in_two_folders_are_named(tmp_path):
    for folder, colour in (('cat', 'red'), ('cow', 'blue'), ('dog', 'red')):
        (tmp_path / folder).mkdir()
        Image.new('RGB', (9, 8), colour).save(tmp_path / folder / 'a.png')
    (doubt,) = read_class_folders(tmp_path).doubts
    assert 'has cat/a.png and dog/a.png, which are the same photo' in doubt
    (tmp_path / 'dog/a.png').rename(tmp_path / 'dog/b.png')
    assert read_class_folders(tmp_path).doubts == []


def test_doubts_are_logged_when_the_data_are_loaded(tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(
        'mmlabelpenet.datasets.tags.print_log', lambda text, **how: said.append((text, how))
    )
    for name in ('dog/a.jpg', 'background/b.jpg'):
        (tmp_path / name).parent.mkdir()
        Image.new('RGB', (9, 8)).save(tmp_path / name)
    assert 'background' in read_class_folders(tmp_path).doubts[0]
    for _ in range(2):
        TagFileDataset(data_root=str(tmp_path))
    ((text, how),) = said
    assert "has 'background', taken for a class" in text
    assert how['level'] == logging.WARNING


@pytest.mark.parametrize(
    ('image', 'files', 'found'),
    [
        ('/data/upload/1/abcd1234-a.jpg', ['a.jpg'], 'a'),
        ('/data/upload/abcd1234-a.jpg', ['abcd1234-a.jpg', 'a.jpg'], 'abcd1234-a'),
        ('https://label.org/data/upload/3/abcd1234-a.jpg', ['a.jpg'], 'a'),
        ('/data/local-files/?d=photos/sub/my%20a.jpg', ['sub/my a.jpg', 'my a.jpg'], 'sub/my a'),
        ('/data/local-files/?d=photos/a.jpg', ['a.jpg'], 'a'),
        ('my a.jpg', ['my\u202fa.jpg'], 'my a'),
    ],
)
def test_photos_are_found_by_other_names(tmp_path, image, files, found):
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new('RGB', (9, 8)).save(tmp_path / name)
    (tmp_path / 'tags.json').write_text(json.dumps([task(image, ['dog'])]))
    dataset = TagFileDataset(data_root=str(tmp_path), tag_file='tags.json')
    assert dataset.get_data_info(0)['img_id'] == found
    assert dataset.get_data_info(0)['img_path'] == str(tmp_path / files[0])


def test_suffixes_are_those_of_pathlib():
    stems = ('', 'a', '.', '..', 'a/', 'a/.', 'a.jpg/b', 'a.b', ' ', 'é', 'a\n')
    suffixes = (
        '',
        '.',
        '.txt',
        *IMAGE_SUFFIXES,
        '.JPG',
        '.Heic',
        '.avif',
        '.gif',
        '.jpgx',
        '.tıf',
    )
    names = [
        stem + suffix + end
        for stem in stems
        for suffix in suffixes
        for end in ('', '/', '/.', '//./', '/..', '.', ' ')
    ]
    known = (*IMAGE_SUFFIXES, *OTHER_SUFFIXES)
    found = [name for name in names if Path(name).suffix.lower() in known]
    assert [name for name in names if is_image_name(name)] == found
    assert 0 < len(found) < len(names)
