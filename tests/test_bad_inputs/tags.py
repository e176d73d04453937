"""Tag files, and folders of classes."""

# A row is a line, so that the table can be read as one.
# ruff: noqa: E501

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from mmlabelpenet.datasets import TagFileDataset, require_distinct_names

from .table import BadInput


def make_photos(root: Path, *names: str) -> None:
    """Write small photos."""
    for name in names or ('a.jpg', 'b.jpg'):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new('RGB', (9, 8)).save(root / name)


def tagged(text: str | bytes, name: str = 'tags.csv', **settings: Any) -> Callable[[Path], Any]:
    """A data set of two photos with a tag file of this content."""

    def run(root: Path) -> Any:
        make_photos(root)
        content = text.encode() if isinstance(text, str) else text
        (root / name).write_bytes(content)
        return TagFileDataset(data_root=str(root), tag_file=name, **settings)

    return run


def folders(*names: str) -> Callable[[Path], Any]:
    """A folder of classes with these photos."""

    def run(root: Path) -> Any:
        make_photos(root, *names)
        return TagFileDataset(data_root=str(root))

    return run


def without_suffix(root: Path) -> Any:
    """A name without suffix that fits two photos."""
    make_photos(root, 'a.jpg', 'a.png')
    (root / 'tags.csv').write_text('ImageID,LabelName\na,dog\n')
    return TagFileDataset(data_root=str(root), tag_file='tags.csv')


def pipe(root: Path) -> Any:
    """A pipe instead of a tag file."""
    os.mkfifo(root / 'tags.csv')
    return TagFileDataset(data_root=str(root), tag_file='tags.csv')


def missing(root: Path) -> Any:
    """No tag file."""
    return TagFileDataset(data_root=str(root), tag_file='tags.csv')


def all_skipped(root: Path) -> Any:
    """A skip list with every photo."""
    (root / 'skip.txt').write_text('a\n')
    return tagged('a.jpg,dog\n', skip='skip.txt')(root)


def no_photos(root: Path) -> Any:
    """An empty folder without a tag file."""
    (root / 'dog').mkdir()
    return TagFileDataset(data_root=str(root))


def same_folder_names(**settings: Any) -> Callable[[Path], Any]:
    """Two data sets whose folders have one name."""

    def run(root: Path) -> Any:
        train = dict(data_root=f'{root}/train/images')
        return require_distinct_names([train, dict(data_root=f'{root}/valid/images', **settings)])

    return run


# fmt: off
# Name, content of the file, sentence.
TEXTS = [
    ('empty file', '', 'tags.csv contains no tag: write one line per photo, such as `photo.jpg,dog;person`.'),
    ('photos without tags', 'a.jpg\nb.jpg\n', 'tags.csv contains no tag: write one line per photo, such as `photo.jpg,dog;person`.'),
    ('tags behind blanks', 'a.jpg dog\nb.jpg cat\n', 'tags.csv contains no tag: write one line per photo, such as `photo.jpg,dog;person`.'),
    ('column names only', 'photo,tags\n', 'tags.csv contains no tag: write one line per photo, such as `photo.jpg,dog;person`.'),
    ('no column of tags', 'photo\na.jpg\n', 'tags.csv has no column of tags: name it `tags`, or give each class a column of 0 and 1.'),
    ('a column of captions only', 'image,caption\na.jpg,a dog on a beach\n', 'tags.csv has no column of tags: name it `tags`, or give each class a column of 0 and 1.'),
    ('one photo twice with other tags', 'a.jpg,dog\nb.jpg,cat\na.jpg,cat\n', 'tags.csv names the photo a.jpg twice, the second time in line 3: keep one line of it.'),
    ('one photo twice in a table of `tags`', 'photo,tags\na.jpg,dog\na.jpg,cat\n', 'tags.csv names the photo a.jpg twice, the second time in line 3: keep one line of it.'),
    ('`./a.jpg` beside `a.jpg`', 'a.jpg,dog\n./a.jpg,cat\n', 'tags.csv names the photo a.jpg twice, the second time in line 2: keep one line of it.'),
    ('one photo twice in a table of 0 and 1', 'image,dog,cat\na.jpg,1,0\na.jpg,0,1\n', 'tags.csv names the photo a.jpg twice, the second time in line 3: keep one line of it.'),
    ('a line without a photo', 'a.jpg,dog\n,cat\n', 'tags.csv names no photo in line 2: write one line per photo, such as `photo.jpg,dog;person`.'),
    ('a photo that is missing', 'a.jpg,dog\nc.jpg,cat\n', 'The photo {root}/c.jpg is missing (1 of 2 in tags.csv): put it there, fix the tag file, or set data_root.'),
    ('a photo outside the folder', '../a.jpg,dog\n', 'tags.csv names the photo ../a.jpg, which is not within {root}: name photos relative to that folder.'),
    ('an absolute path', '/photos/a.jpg,dog\n', 'tags.csv names the photo /photos/a.jpg, which is not within {root}: name photos relative to that folder.'),
    ('quotation mark not closed', 'a.jpg,"dog\nb.jpg,cat\n', 'tags.csv has a quotation mark that is not closed in line 1: close it there.'),
    ('two quotation marks not closed', 'a.jpg,"dog\nb.jpg,"cat\n', 'tags.csv has a quotation mark that is not closed in line 1: close it there.'),
    ('text behind a quotation mark', 'a.jpg,"dog"s\n', 'tags.csv has a cell in line 1 that is no CSV (\',\' expected after \'"\'): put quotation marks around the whole cell or none.'),
    ('a zero byte', 'a.jpg,dog\x00\n', 'tags.csv has a zero byte in line 1: save the file as UTF-8.'),
    ('a class listed twice', '#classes,dog,cat,dog\na.jpg,dog\n', 'tags.csv lists the class dog twice: keep one.'),
    ('an unsure class in the list of classes', '#classes,dog,?cat\na.jpg,dog\n', "tags.csv lists the class '?cat': remove the question mark."),
    ('the list of classes in the second line', 'a.jpg,dog\n#classes,dog,cat\n', 'tags.csv has #classes in line 2: write it once, in the first line.'),
    ('two lists of classes', '#classes,dog\n#classes,cat\na.jpg,dog\n', 'tags.csv has #classes in line 2: write it once, in the first line.'),
    ('a tag that the list of classes lacks', '#classes,dog,cat\na.jpg,dgo\n', 'tags.csv has tags dgo that its own list of classes lacks: add them there or fix them.'),
    ('a bare question mark', 'a.jpg,dog;?\n', "tags.csv has the tag '?' in line 1: write `?dog` if there may be a dog, and no tag if nothing is known."),
    ('two question marks', 'a.jpg,??dog\n', "tags.csv has the tag '??dog' in line 1: write `?dog` if there may be a dog, and no tag if nothing is known."),
    ('a tag both sure and unsure', 'a.jpg,dog;?dog\n', 'tags.csv has both dog and ?dog in line 1: keep one of them.'),
    ('numbers as tags', 'a.jpg,3\nb.jpg,7\n', 'tags.csv has the tag \'3\' in line 1, which looks like no class: write names of classes (columns of 0 and 1, confidences or boxes need a first line of column names), or list all classes in a first line `#classes,...` (JSON: "classes") if it is one.'),
    ('0 and 1 without column names', 'a.jpg,1,0\nb.jpg,0,1\n', 'tags.csv has the tag \'1\' in line 1, which looks like no class: write names of classes (columns of 0 and 1, confidences or boxes need a first line of column names), or list all classes in a first line `#classes,...` (JSON: "classes") if it is one.'),
    ('a confidence without column names', 'a.jpg,dog,0.9\nb.jpg,cat,0.85\n', 'tags.csv has the tag \'0.9\' in line 1, which looks like no class: write names of classes (columns of 0 and 1, confidences or boxes need a first line of column names), or list all classes in a first line `#classes,...` (JSON: "classes") if it is one.'),
    ('a box without column names', 'a.jpg,dog,10,20,30,40\n', 'tags.csv has the tag \'10\' in line 1, which looks like no class: write names of classes (columns of 0 and 1, confidences or boxes need a first line of column names), or list all classes in a first line `#classes,...` (JSON: "classes") if it is one.'),
    ('a date without column names', 'a.jpg,dog,2024-05-01\n', 'tags.csv has the tag \'2024-05-01\' in line 1, which looks like no class: write names of classes (columns of 0 and 1, confidences or boxes need a first line of column names), or list all classes in a first line `#classes,...` (JSON: "classes") if it is one.'),
    ('true and false without column names', 'a.jpg,true,false\n', 'tags.csv has the tag \'true\' in line 1, which looks like no class: write names of classes (columns of 0 and 1, confidences or boxes need a first line of column names), or list all classes in a first line `#classes,...` (JSON: "classes") if it is one.'),
    ('`none` as a tag', 'a.jpg,dog\nb.jpg,none\n', 'tags.csv has the tag \'none\' in line 2, which looks like no class: write names of classes (columns of 0 and 1, confidences or boxes need a first line of column names), or list all classes in a first line `#classes,...` (JSON: "classes") if it is one.'),
    ('a photo as a tag', 'a.jpg,b.jpg\n', 'tags.csv has the tag \'b.jpg\' in line 1, which looks like no class: write names of classes (columns of 0 and 1, confidences or boxes need a first line of column names), or list all classes in a first line `#classes,...` (JSON: "classes") if it is one.'),
    ('a list without quotation marks', 'a.jpg,[dog; cat]\n', 'tags.csv has the tag \'[dog\' in line 1, which looks like no class: write names of classes (columns of 0 and 1, confidences or boxes need a first line of column names), or list all classes in a first line `#classes,...` (JSON: "classes") if it is one.'),
    ('punctuation as a tag', 'a.jpg,dog;--\n', 'tags.csv has the tag \'--\' in line 1, which looks like no class: write names of classes (columns of 0 and 1, confidences or boxes need a first line of column names), or list all classes in a first line `#classes,...` (JSON: "classes") if it is one.'),
    ('numbers under `label`', 'image,label\na.jpg,0\nb.jpg,1\n', 'tags.csv has the tag \'0\' in line 2, which looks like no class: write names of classes (columns of 0 and 1, confidences or boxes need a first line of column names), or list all classes in a first line `#classes,...` (JSON: "classes") if it is one.'),
    ('0, 1 and -1 in one table', 'image,dog,cat\na.jpg,1,-1\nb.jpg,0,1\n', "tags.csv marks classes by '-1', '0', '1', which has no single meaning: write 1 for present, 0 for absent and ? for unknown."),
    ('0, 1 and blanks in one table', 'image,dog,cat\na.jpg,1,\nb.jpg,0,1\n', "tags.csv marks classes by '', '0', '1', which has no single meaning: write 1 for present, 0 for absent and ? for unknown."),
    ('true and 1 in one table', 'image,dog,cat\na.jpg,true,1\nb.jpg,0,false\n', "tags.csv marks classes by '0', '1', 'false', 'true', which has no single meaning: write 1 for present, 0 for absent and ? for unknown."),
    ('a probability in a table of 0 and 1', 'image,dog,cat\na.jpg,1,0.3\nb.jpg,0,1\n', "tags.csv has the column 'cat' with the value '0.3': remove it, name it `tags` if it holds tags, or write 0 and 1 if it is a class."),
    ('a number of objects in a table of 0 and 1', 'image,dog,cat\na.jpg,2,0\nb.jpg,0,1\n', "tags.csv has the column 'dog' with the value '2': remove it, name it `tags` if it holds tags, or write 0 and 1 if it is a class."),
    ('two columns of one class', 'image,dog,dog\na.jpg,1,0\n', "tags.csv has two columns 'dog': keep one."),
    ('tags beside a column of 0 and 1', 'image,label,cat\na.jpg,dog,1\n', 'tags.csv has the column \'label\' beside the column \'cat\' of 0 and 1, so that its meaning is unclear: remove one of them, or list all classes in a first line `#classes,...` (JSON: "classes") if it is one.'),
    ('a confidence beside columns of 0 and 1', 'image,dog,cat,confidence\na.jpg,1,0,0.9\n', 'tags.csv has the column \'confidence\' beside the column \'dog\' of 0 and 1, so that its meaning is unclear: remove one of them, or list all classes in a first line `#classes,...` (JSON: "classes") if it is one.'),
    ('a column `date` of 0 and 1', 'image,apple,date\na.jpg,1,0\nb.jpg,0,1\n', 'tags.csv has the column \'date\' beside the column \'apple\' of 0 and 1, so that its meaning is unclear: remove one of them, or list all classes in a first line `#classes,...` (JSON: "classes") if it is one.'),
    ('too few values in a table of 0 and 1', 'image,dog,cat\na.jpg,1\nb.jpg,0,1\n', 'tags.csv has 2 values in line 2, but 3 columns: fix the line.'),
    ('too many values in a table of 0 and 1', 'image,dog,cat\na.jpg,1,0,1\n', 'tags.csv has 4 values in line 2, but 3 columns: fix the line.'),
    ('a column of splits', 'image,label,split\na.jpg,dog,train\nb.jpg,cat,test\n', 'tags.csv has the column \'split\', by which some lines may not count for training: write those that count into a tag file of their own and remove the column, or list all classes in a first line `#classes,...` (JSON: "classes") if it is one.'),
    ('an unknown column of text', 'image,label,keeper\na.jpg,dog,Bob\n', "tags.csv has the column 'keeper' with the value 'Bob': remove it, name it `tags` if it holds tags, or write 0 and 1 if it is a class."),
    ('two columns that name photos', 'file_name,path,label\na,a.jpg,dog\n', "tags.csv has the columns 'file_name' and 'path', which both name photos: keep one."),
    ('unknown column names', 'Bild,Art\na.jpg,dog\nb.jpg,cat\n', "tags.csv begins with 'Bild', which is no name of a photo as in the other lines: write the column names as `photo,tags`, or fix the first line."),
    ('a photo without suffix in the first line', 'a,dog\nb.jpg,cat\n', "tags.csv begins with 'a', which is no name of a photo as in the other lines: write the column names as `photo,tags`, or fix the first line."),
    ('a low confidence', 'image,label,confidence\na.jpg,dog,0.9\nb.jpg,cat,0.2\n', "tags.csv has the confidence '0.2' in line 3: tags count from 0.5 to 1, and as absent with 0; remove the line, or remove the column and write such tags as `?dog`."),
    ('a confidence in per cent', 'image,label,confidence\na.jpg,dog,97\n', "tags.csv has the confidence '97' in line 2: tags count from 0.5 to 1, and as absent with 0; remove the line, or remove the column and write such tags as `?dog`."),
    ('a confidence that is no number', 'image,label,confidence\na.jpg,dog,high\n', "tags.csv has the confidence 'high' in line 2: tags count from 0.5 to 1, and as absent with 0; remove the line, or remove the column and write such tags as `?dog`."),
    ('a tag with confidence 0 and with 1', 'image,label,confidence\na.jpg,dog,1\na.jpg,dog,0\n', 'tags.csv says with confidence 0 and in line 2 with another one that a.jpg shows dog: keep one of the two.'),
    ('JSON with the suffix .csv', '{"a.jpg": ["dog"]}', 'tags.csv looks like JSON: give it the suffix .json or .jsonl.'),
    ('a tag with a minus', 'a.jpg,-dog;cat\n', 'tags.csv has the tag \'-dog\' in line 1, in which \'-\' has no meaning: write `dog` if there is a dog, no tag if there is none, `?dog` if it is unknown, or list all classes in a first line `#classes,...` (JSON: "classes") if it is one.'),
    ('a tag with an exclamation mark', 'a.jpg,!cat;dog\n', 'tags.csv has the tag \'!cat\' in line 1, in which \'!\' has no meaning: write `dog` if there is a dog, no tag if there is none, `?dog` if it is unknown, or list all classes in a first line `#classes,...` (JSON: "classes") if it is one.'),
    ('a tag with a tilde', 'a.jpg,~cat;dog\n', 'tags.csv has the tag \'~cat\' in line 1, in which \'~\' has no meaning: write `dog` if there is a dog, no tag if there is none, `?dog` if it is unknown, or list all classes in a first line `#classes,...` (JSON: "classes") if it is one.'),
    ('`not dog`', 'a.jpg,not dog\n', 'tags.csv has the tag \'not dog\' in line 1, in which \'not\' has no meaning: write `dog` if there is a dog, no tag if there is none, `?dog` if it is unknown, or list all classes in a first line `#classes,...` (JSON: "classes") if it is one.'),
    ('`maybe dog`', 'a.jpg,maybe dog\n', 'tags.csv has the tag \'maybe dog\' in line 1, in which \'maybe\' has no meaning: write `dog` if there is a dog, no tag if there is none, `?dog` if it is unknown, or list all classes in a first line `#classes,...` (JSON: "classes") if it is one.'),
    ('a question mark behind a tag', 'a.jpg,dog?\n', 'tags.csv has the tag \'dog?\' in line 1, in which \'?\' has no meaning: write `dog` if there is a dog, no tag if there is none, `?dog` if it is unknown, or list all classes in a first line `#classes,...` (JSON: "classes") if it is one.'),
    ('a value behind a tag', 'a.jpg,dog:0.9\n', 'tags.csv has the tag \'dog:0.9\' in line 1, in which \':0.9\' has no meaning: write `dog` if there is a dog, no tag if there is none, `?dog` if it is unknown, or list all classes in a first line `#classes,...` (JSON: "classes") if it is one.'),
    ('0 behind a tag', 'a.jpg,dog=0\n', 'tags.csv has the tag \'dog=0\' in line 1, in which \'=0\' has no meaning: write `dog` if there is a dog, no tag if there is none, `?dog` if it is unknown, or list all classes in a first line `#classes,...` (JSON: "classes") if it is one.'),
    ('a column with a minus', 'image,-dog,cat\na.jpg,1,0\n', 'tags.csv has the tag \'-dog\' in line 1, in which \'-\' has no meaning: write `dog` if there is a dog, no tag if there is none, `?dog` if it is unknown, or list all classes in a first line `#classes,...` (JSON: "classes") if it is one.'),
    ('curly quotation marks', 'photo,tags\na.jpg,“dog, cat”\n', 'tags.csv has the tag \'“dog\' in line 2 with a quotation mark: remove it, write straight ones (") around whole cells, or list all classes in a first line `#classes,...` (JSON: "classes") if it is one.'),
    ('`dog/cat` beside `cat`', 'a.jpg,dog/cat\nb.jpg,cat\n', 'tags.csv has the tag \'dog/cat\' and also tags that are parts of it, so that it may be one class or several: separate tags by `;`, or list all classes in a first line `#classes,...` (JSON: "classes") if it is one.'),
    ('`dog & cat` beside `cat`', 'a.jpg,dog & cat\nb.jpg,cat\n', 'tags.csv has the tag \'dog & cat\' and also tags that are parts of it, so that it may be one class or several: separate tags by `;`, or list all classes in a first line `#classes,...` (JSON: "classes") if it is one.'),
    ('`dog:cat` beside both', 'a.jpg,dog:cat\nb.jpg,cat;dog\n', 'tags.csv has the tag \'dog:cat\' and also tags that are parts of it, so that it may be one class or several: separate tags by `;`, or list all classes in a first line `#classes,...` (JSON: "classes") if it is one.'),
    ('tags behind blanks beside both', 'photo,tags\na.jpg,dog cat\nb.jpg,cat\nc.jpg,dog\n', 'tags.csv has the tag \'dog cat\' and also tags that are parts of it, so that it may be one class or several: separate tags by `;`, or list all classes in a first line `#classes,...` (JSON: "classes") if it is one.'),
    ('a tab within a cell', 'photo,tags\na.jpg,dog\tcat\n', 'tags.csv has the tag \'dog\\tcat\' in line 2, which may be one class or several: write dog and cat as tags of their own, or list all classes in a first line `#classes,...` (JSON: "classes") if it is one.'),
    ('`Unlabeled` as a tag', 'a.jpg,dog\nb.jpg,Unlabeled\n', 'tags.csv has the tag \'Unlabeled\' in line 2: write no tag if the photo shows none of the classes, remove the photo if nobody has looked, or list all classes in a first line `#classes,...` (JSON: "classes") if it is one.'),
    ('a column `Unlabeled` of Roboflow', 'filename,Unlabeled,dog\na.jpg,0,1\nb.jpg,1,0\n', 'tags.csv has the tag \'Unlabeled\' in line 1: write no tag if the photo shows none of the classes, remove the photo if nobody has looked, or list all classes in a first line `#classes,...` (JSON: "classes") if it is one.'),
    ('a column `is_valid`', 'image,dog,cat,is_valid\na.jpg,1,0,1\nb.jpg,0,1,0\n', 'tags.csv has the column \'is_valid\', by which some lines may not count for training: write those that count into a tag file of their own and remove the column, or list all classes in a first line `#classes,...` (JSON: "classes") if it is one.'),
    ('a column `is_valid` with 1 only', 'image,dog,cat,is_valid\na.jpg,1,0,1\nb.jpg,0,1,1\n', 'tags.csv has the column \'is_valid\' beside the column \'dog\' of 0 and 1, so that its meaning is unclear: remove one of them, or list all classes in a first line `#classes,...` (JSON: "classes") if it is one.'),
    ('columns `train` and `val`', 'image,dog,train,val\na.jpg,1,1,0\nb.jpg,0,0,1\n', 'tags.csv has the column \'val\', by which some lines may not count for training: write those that count into a tag file of their own and remove the column, or list all classes in a first line `#classes,...` (JSON: "classes") if it is one.'),
    ('`verified` beside labels', 'image,label,verified\na.jpg,dog,1\nb.jpg,cat,0\n', 'tags.csv has the column \'verified\', by which some lines may not count for training: write those that count into a tag file of their own and remove the column, or list all classes in a first line `#classes,...` (JSON: "classes") if it is one.'),
    ('a column `total` of 0 and 1', 'image,dog,cat,total\na.jpg,1,0,1\nb.jpg,0,0,0\n', 'tags.csv has the column \'total\', by which some lines may not count for training: write those that count into a tag file of their own and remove the column, or list all classes in a first line `#classes,...` (JSON: "classes") if it is one.'),
    ('numbers of classes that do not fit their names', 'image,label,label_name\na.jpg,0,dog\nb.jpg,0,cat\n', "tags.csv has the columns 'label' and 'label_name', of which one has several values for the same value of the other: fix them, or remove the column of numbers."),
    ('a list of numpy that is cut short', "photo,tags\na.jpg,['dog' 'cat' ... 'pig']\n", 'tags.csv has the tag "[\'dog\' \'cat\' ... \'pig\']" in line 2, which looks like no class: write names of classes (columns of 0 and 1, confidences or boxes need a first line of column names), or list all classes in a first line `#classes,...` (JSON: "classes") if it is one.'),
    ('texts of Python side by side', "photo,tags\na.jpg,['dog''cat']\n", 'tags.csv has the tag "[\'dog\'\'cat\']" in line 2, which looks like no class: write names of classes (columns of 0 and 1, confidences or boxes need a first line of column names), or list all classes in a first line `#classes,...` (JSON: "classes") if it is one.'),
    ('bytes in a list of Python', 'photo,tags\na.jpg,"[\'dog\', b\'cat\']"\n', 'tags.csv has the tag "[\'dog\'" in line 2, which looks like no class: write names of classes (columns of 0 and 1, confidences or boxes need a first line of column names), or list all classes in a first line `#classes,...` (JSON: "classes") if it is one.'),
    ('a call of Python', "photo,tags\na.jpg,list(['dog'])\n", 'tags.csv has the tag "list([\'dog\'])" in line 2, which looks like no class: write names of classes (columns of 0 and 1, confidences or boxes need a first line of column names), or list all classes in a first line `#classes,...` (JSON: "classes") if it is one.'),
    ('only marks, without column names', 'a.jpg,x,\nb.jpg,,x\n', "tags.csv has no tags but 'x': write a first line of column names."),
    ('a page of HTML', '<!DOCTYPE html><html><body>Sign in</body></html>\n', 'tags.csv is a page of HTML or XML, as a server sends that asks for a login: get the file itself.'),
    ('XML of CVAT', '<?xml version="1.0"?><annotations></annotations>', 'tags.csv is XML, such as CVAT and VOC write: export the tags as CSV or COCO, or read folders of VOC by VOCInstanceDataset.'),
    ('a letter that a program lost', 'a.jpg,B\ufffdr\n', "tags.csv has the name 'B\\ufffdr' in line 1, of which a letter is lost: write it again, and save the file as UTF-8."),
    ('a comment', '# my tags\nphoto,tags\na.jpg,dog\n', "tags.csv has the comment '# my tags' in line 1: remove it; only `#classes,...` may begin with #."),
    ('column names twice', 'photo,tags\na.jpg,dog\nphoto,tags\nb.jpg,cat\n', 'tags.csv repeats the names of its columns in line 3: remove that line.'),
    ('an address of a photo', 'photo,tags\nhttps://x.org/a.jpg,dog\n', 'tags.csv names the photo https://x.org/a.jpg in line 2 by its address: download the photos, and write the names of their files.'),
    ('two names of one photo', 'a.jpg,dog\na,cat\n', 'tags.csv names the photo a.jpg 2 times, in different ways: keep one of them.'),
    ('Label Studio: annotators that differ', 'image,choice,annotator\na.jpg,dog,1\na.jpg,cat,2\n', 'tags.csv names the photo a.jpg twice, the second time in line 3: keep one line of it.'),
]
# Name, content of the file, sentence.
JSONS = [
    ('damaged JSON', '{"a.jpg": ["dog"', 'tags.json cannot be read as a JSON tag file (JSONDecodeError: Expecting \',\' delimiter: line 1 column 17 (char 16)): write {"photo.jpg": ["dog", "person"]}.'),
    ('a key twice in JSON', '{"a.jpg": ["dog"], "a.jpg": ["cat"]}', "tags.json has the key 'a.jpg' twice in one object: keep one of them."),
    ('one photo under two names in JSON', '{"a.jpg": ["dog"], "./a.jpg": ["cat"]}', 'tags.json names the photo a.jpg twice, the second time in entry 2: keep one line of it.'),
    ('`clases` beside `photos` in JSON', '{"clases": ["dog"], "photos": {"a.jpg": ["dog"]}}', 'tags.json has the key \'clases\' beside "photos": name it "classes".'),
    ('a class listed twice in JSON', '{"classes": ["dog", "dog"], "photos": {"a.jpg": ["dog"]}}', 'tags.json lists the class dog twice: keep one.'),
    ('a tag that is no list in JSON', '{"a.jpg": 7}', 'tags.json has 7 in entry 1 instead of names: write {"photo": "photo.jpg", "tags": ["dog", "person"]}.'),
    ('numbers as tags in JSON', '{"a.jpg": [1]}', 'tags.json has [1] in entry 1 instead of names: write {"photo": "photo.jpg", "tags": ["dog", "person"]}.'),
    ('a number as text in JSON', '{"a.jpg": ["1"]}', 'tags.json has the tag \'1\' in entry 1, which looks like no class: write names of classes (columns of 0 and 1, confidences or boxes need a first line of column names), or list all classes in a first line `#classes,...` (JSON: "classes") if it is one.'),
    ('objects without tags in JSON', '[{"photo": "a.jpg"}]', 'tags.json has no key "tags" in entry 1, only \'photo\': write {"photo": "photo.jpg", "tags": ["dog", "person"]} for each photo.'),
    ('objects without photos in JSON', '[{"image_gcs": "a.jpg", "tags": ["dog"]}]', 'tags.json has no key "photo" in entry 1, only \'image_gcs\', \'tags\': write {"photo": "photo.jpg", "tags": ["dog", "person"]} for each photo.'),
    ('a text with a comma in JSON', '{"a.jpg": "dog, cat"}', 'tags.json has the text \'dog, cat\' in entry 1, which may be one class or several: write a list such as ["dog", "person"].'),
    ('half a letter in JSON', '{"a.jpg": ["dog\\ud800"]}', "tags.json has the name 'dog\\ud800' in entry 1, of which a letter is lost: write it again, and save the file as UTF-8."),
    ('an unknown key in JSON', '[{"photo": "a.jpg", "tags": ["dog"], "score": 0.1}]', 'tags.json has the unknown key \'score\' in entry 1: remove it, or name it "tags".'),
    ('a COCO file', '{"images": [], "annotations": [], "categories": []}', 'tags.json is a COCO file: read it by COCOInstanceDataset(ann_file=...).'),
    ('a number in JSON', '7', 'tags.json holds 7 alone: write {"photo": "photo.jpg", "tags": ["dog", "person"]}.'),
    ('a bare question mark in JSON', '{"a.jpg": ["?"]}', "tags.json has the tag '?' in entry 1: write `?dog` if there may be a dog, and no tag if nothing is known."),
    ('`dog;cat` in JSON', '{"a.jpg": ["dog;cat"]}', 'tags.json has the tag \'dog;cat\' in entry 1, which may be one class or several: write dog and cat as tags of their own, or list all classes in a first line `#classes,...` (JSON: "classes") if it is one.'),
    ('`dog, cat` beside `cat` in JSON', '{"a.jpg": ["dog, cat"], "b.jpg": ["cat"]}', 'tags.json has the tag \'dog, cat\' and also tags that are parts of it, so that it may be one class or several: separate tags by `;`, or list all classes in a first line `#classes,...` (JSON: "classes") if it is one.'),
    ('a tag with a minus in JSON', '{"a.jpg": ["-dog"]}', 'tags.json has the tag \'-dog\' in entry 1, in which \'-\' has no meaning: write `dog` if there is a dog, no tag if there is none, `?dog` if it is unknown, or list all classes in a first line `#classes,...` (JSON: "classes") if it is one.'),
    ('a probability of a class in JSON', '{"a.jpg": {"dog": 0.9}}', 'tags.json has the unknown key \'dog\' in entry 1: remove it, name it "tags", or write 1 and 0 if it is a class.'),
    ('marks of which some are missing in JSON', '{"a.jpg": {"dog": 1, "cat": 0}, "b.jpg": {"cat": 1}}', "tags.json marks classes by '', '0', '1', which has no single meaning: write 1 for present, 0 for absent and ? for unknown."),
    ('a split beside marks in JSON', '[{"image": "a.jpg", "dog": 1, "split": "train"}]', 'tags.json has the unknown key \'split\' in entry 1: remove it, name it "tags", or write 1 and 0 if it is a class.'),
    ('Label Studio: a task without annotation', '[{"data": {"image": "a.jpg"}, "annotations": []}]', 'tags.json has no annotation in entry 1: keep one annotation of each photo.'),
    ('Label Studio: annotations that differ', '[{"data": {"image": "a.jpg"}, "annotations": [{"result": [{"value": {"choices": ["dog"]}}]}, {"result": []}]}]', 'tags.json has annotations that differ in entry 1: keep one annotation of each photo.'),
    ('a page of HTML as JSON', '<html>', 'tags.json is a page of HTML or XML, as a server sends that asks for a login: get the file itself.'),
    ('an address of a photo in JSON', '{"https://x.org/a.jpg": ["dog"]}', 'tags.json names the photo https://x.org/a.jpg in entry 1 by its address: download the photos, and write the names of their files.'),
]
OTHERS = [
    BadInput('another encoding', tagged('Zoë.jpg,dog\n'.encode('latin-1')), "tags.csv cannot be read as a tag file (UnicodeDecodeError: 'utf-8' codec can't decode byte 0xeb in position 2: invalid continuation byte): fix the path, or save it as UTF-8."),
    BadInput('UTF-16 without a mark of it', tagged('a.jpg,dog\n'.encode('utf-16-le')), 'tags.csv has a zero byte in line 1: save the file as UTF-8.'),
    BadInput('an Excel file', tagged(b'PK\x03\x04\x14\xff\xfe', 'tags.xlsx'), 'tags.xlsx cannot be read as a tag file, for it is a workbook of a spreadsheet program: save it there as CSV in UTF-8.'),
    BadInput('a damaged line of JSON lines', tagged('{"photo": "a.jpg", "tags": ["dog"]}\n{"photo"\n', 'tags.jsonl'), 'Line 2 of tags.jsonl cannot be read as JSON (JSONDecodeError: Expecting \':\' delimiter: line 1 column 9 (char 8)): write {"photo": "photo.jpg", "tags": ["dog", "person"]}.'),
    BadInput('no tag file', missing, 'There is no tag file at tags.csv: fix the path, or set tag_file to the folder of photos if each of its subfolders is a class.'),
    BadInput('a pipe as a tag file', pipe, 'tags.csv cannot be read as a tag file (OSError: [Errno 22] not a regular file): fix the path, or save it as UTF-8.'),
    BadInput('a name without suffix that fits two photos', without_suffix, 'The photo a may be a.jpg or a.png in {root}: write its suffix.'),
    BadInput('boxes asked of a tag file', tagged('a.jpg,dog\n', supervision='full'), "tags.csv contains tags only: set supervision='tags'."),
    BadInput('a class that the config names but the file lacks', tagged('a.jpg,dog\n', metainfo={'classes': ['dgo']}), "tags.csv has no class 'dgo': choose from dog."),
    BadInput('all photos skipped', all_skipped, 'tags.csv lists no photo, or all are skipped: add some.'),
    BadInput('a name of the data set with a slash', tagged('a.jpg,dog\n', dataset_name='zoo/train'), "The data set of {root} has the name 'zoo/train': set dataset_name to a name without slashes."),
    BadInput('a folder of classes with photos beside them', folders('dog/a.jpg', 'b.jpg'), '{root}/b.jpg is not in a folder of its class within {root}: move it, or write a tag file and set tag_file.'),
    BadInput('a folder of classes with folders in them', folders('dog/a.jpg', 'cat/2024/b.jpg'), '{root}/cat/2024/b.jpg is not in a folder of its class within {root}: move it, or write a tag file and set tag_file.'),
    BadInput('a folder of splits instead of classes', folders('train/a.jpg', 'val/b.jpg'), '{root} has the folder train, which is no class: set data_root to a folder that has one subfolder for each class, or write a tag file and set tag_file if it is one.'),
    BadInput('folders `Training` and `Testing`', folders('Training/a.jpg', 'Testing/b.jpg'), '{root} has the folder Testing, which is no class: set data_root to a folder that has one subfolder for each class, or write a tag file and set tag_file if it is one.'),
    BadInput('folders `train2017` and `val2017`', folders('train2017/a.jpg', 'val2017/b.jpg'), '{root} has the folder train2017, which is no class: set data_root to a folder that has one subfolder for each class, or write a tag file and set tag_file if it is one.'),
    BadInput('folders `dev_set` and `eval`', folders('dev_set/a.jpg', 'eval/b.jpg'), '{root} has the folder dev_set, which is no class: set data_root to a folder that has one subfolder for each class, or write a tag file and set tag_file if it is one.'),
    BadInput('a folder `?dog`', folders('?dog/a.jpg', 'cat/b.jpg'), "{root} has the folder '?dog', which may mean something else than a class: rename it, or write a tag file and set tag_file."),
    BadInput('a folder `dog?`', folders('dog?/a.jpg', 'cat/b.jpg'), "{root} has the folder 'dog?', which may mean something else than a class: rename it, or write a tag file and set tag_file."),
    BadInput('a folder `not_dog`', folders('not_dog/a.jpg', 'dog/b.jpg'), "{root} has the folder 'not_dog', which may mean something else than a class: rename it, or write a tag file and set tag_file."),
    BadInput('a folder `unlabeled`', folders('unlabeled/a.jpg', 'dog/b.jpg'), "{root} has the folder 'unlabeled', which may mean something else than a class: rename it, or write a tag file and set tag_file."),
    BadInput('folders `dog` and `dog `', folders('dog/a.jpg', 'dog /b.jpg'), "{root} has the folders 'dog' and 'dog ', whose names differ only in blanks or in letters that look the same: move the photos into one of them."),
    BadInput('folders of classes without photos', no_photos, '{root} has no subfolders of photos: write a tag file and set tag_file.'),
    BadInput('train/images and valid/images', same_folder_names(), "Proposals and results of {root}/train/images and of {root}/valid/images would have the same names images/...: set another dataset_name for one of them in the config, such as dataset_name='valid_images'."),
    BadInput('two folders with one dataset_name', same_folder_names(dataset_name='images'), "Proposals and results of {root}/train/images and of {root}/valid/images would have the same names images/...: set another dataset_name for one of them in the config, such as dataset_name='valid_images'."),
    BadInput('a folder of photos in a setting that is not read', tagged('a.jpg,dog\n', data_prefix={'img': 'photos'}), "TagFileDataset of {root} does not read data_prefix={'img': 'photos'}: set data_root instead."),
    BadInput('a tag file in a setting that is not read', tagged('a.jpg,dog\n', ann_file='tags.json'), "TagFileDataset of {root} does not read ann_file='tags.json': set tag_file instead."),
    BadInput('tags with a separator of another script', tagged('photo,tags\na.jpg,犬、猫\nb.jpg,犬\n'), 'tags.csv has the tag \'犬、猫\' and also tags that are parts of it, so that it may be one class or several: separate tags by `;`, or list all classes in a first line `#classes,...` (JSON: "classes") if it is one.'),
    BadInput('an ellipsis as tag', tagged('photo,tags\na.jpg,dog;…\nb.jpg,cat\n'), 'tags.csv has the tag \'…\' in line 2, which looks like no class: write names of classes (columns of 0 and 1, confidences or boxes need a first line of column names), or list all classes in a first line `#classes,...` (JSON: "classes") if it is one.'),
    BadInput('a class column without a name', tagged('photo,dog,\na.jpg,1,0\nb.jpg,0,1\n'), 'tags.csv has the column 3 beside the column \'dog\' of 0 and 1, so that its meaning is unclear: remove one of them, or list all classes in a first line `#classes,...` (JSON: "classes") if it is one.'),
    BadInput('a pointer of Git LFS as tag file', tagged('version https://git-lfs.github.com/spec/v1\noid sha256:a\n'), 'tags.csv cannot be read as a tag file, for it is a pointer of Git LFS: run `git lfs pull`.'),
    BadInput('no list of classes in JSON', tagged('{"classes": {"0": "dog"}, "photos": {"a.jpg": ["dog"]}}', 'tags.json'), 'tags.json has {\'0\': \'dog\'} in its "classes" instead of names: write {"photo": "photo.jpg", "tags": ["dog", "person"]}.'),
]
# fmt: on
ROWS = [
    *(BadInput(name, tagged(text), sentence) for name, text, sentence in TEXTS),
    *(BadInput(name, tagged(text, 'tags.json'), sentence) for name, text, sentence in JSONS),
    *OTHERS,
]
