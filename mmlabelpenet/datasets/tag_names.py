"""Names of tags: those that cannot be a class, and those that may mean something else."""

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import cache
from itertools import chain

from mmlabelpenet.utils import (
    IMAGE_SUFFIXES,
    OTHER_SUFFIXES,
    UserError,
    similar_names,
    visible_name,
)

CLASS_LINE = '#classes'
# As pathlib finds a suffix, in a tenth of its time.
IMAGE_NAME = re.compile(
    rf'.*[^/](?:{"|".join(map(re.escape, (*IMAGE_SUFFIXES, *OTHER_SUFFIXES)))})(?:/\.?)*',
    re.ASCII | re.IGNORECASE | re.DOTALL,
)
# Numbers, dates, values of missing cells, words between brackets or quotation marks, and calls.
NO_TAG = re.compile(
    r'[-+]?\d[\d.,:/%+\-eEtTzZ ]*|true|false|yes|no|nan|null|none|n/?a|[!-/:-@\[-`{-~]+'
    r'|[\[\](){}"\'].*|.*[\[\]{}"]|[\w.]+\([\[({)"\'].*|[\u2010-\u205e\u3001-\u3003]+',
    re.IGNORECASE,
)
# Halves of a letter, and what programs write for a letter that they cannot read.
LOST = re.compile('[\ud800-\udfff\ufffd]')
# A Latin letter beside a Cyrillic one or a Greek capital that looks like another Latin one.
_OTHERS = (
    '[\u0400-\u04ff\u0391\u0392\u0395-\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7'
    '\u03bf]'
)
MIXED = re.compile(f'[A-Za-z]{_OTHERS}|{_OTHERS}[A-Za-z]')
# What other programs write before or behind a tag: it is denied, doubted, or has a value.
MARK = re.compile(
    r'([-+!¡！~*^=<>@#$%&¬¿？×✓✔✗✘❌✅☑☒\u2010-\u2015\u2212]|not[ _-]|maybe |perhaps |possibly '
    r'|probably |unsure |\d+ ?[x×] ).*'
    r'|.+?([?？*]|[ =:(]+[-+]?(?:0?\.\d+|1\.0+|[\d.]+%)\)?'
    r'|[ (]*\((?:[-+]?\d+|maybe|unsure|uncertain|absent|no|not)\)'
    r'|[ =:]*[=:] ?(?:[-+]?[\d.]+|yes|no|true|false|present|absent|unknown|maybe))',
    re.IGNORECASE,
)
QUOTES = '“”„‟‘’‚‛«»‹›`´"'
SEPARATOR = re.compile('[;|\t\n\r]')
# Names of columns of 0 and 1 that often say something else than a class.
ATTRIBUTE = re.compile(
    r'(is|has|num)[ _]|(sex|gender|age|patient|subject|weight|quality|blur|blurry|session|version)'
    r'([ _]id)?$'
)
UNLABELED = {
    *('unlabeled', 'unlabelled', 'untagged', 'unannotated', 'notlabeled', 'notlabelled'),
    *('notannotated', 'nottagged', 'nolabel', 'nolabels', 'notag', 'notags', 'noannotation'),
}
NO_CLASS = UNLABELED.union(
    ('background', 'backgrounds', 'bg', 'none', 'nothing', 'empty', 'blank', 'other', 'others'),
    ('misc', 'miscellaneous', 'rest', 'everythingelse', 'na', 'null', 'nan', 'notapplicable'),
    ('unknown', 'unsure', 'uncertain', 'undefined', 'unspecified', 'unclassified', 'default'),
    ('negative', 'neg', 'noobject', 'noobjects', 'noclass', 'ignore', 'skip', 'todo', 'flag'),
    ('etc', 'usw', 'newfolder', 'untitledfolder', 'unsorted', 'deleted', 'temp', 'tmp'),
    ('masks', 'annotations', 'labels', 'papierkorb', 'corbeille', 'neuerordner'),
)
# Separators of tags in this and other scripts.
JOINTS = re.compile(r'\s*[/&+,\\،؛、，；·・／＋＆｜]\s*')
# A letter as another program writes it, a date that it has made of a name, and a copied folder.
CHANGED = re.compile(
    r'.*(?:&(?:#\d+|amp|lt|gt|quot|apos|nbsp|szlig|\w(?:uml|acute|grave|circ|tilde))\b|%[0-9a-f]{2}|\\u[0-9a-f]{4}|\+A[A-Za-z0-9+/]{2}-).*'
    r'|(?:\d+-(?=\D+$)|(?=.+-\d+$))(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)(?:-\d+)?'
    r'|copy of .*|.* - copy( \(\d+\))?',
    re.IGNORECASE,
)
WORDS = re.compile(r'\s+(?:and|or|und|oder|et|y)\s+|\s+-\s+|\s*[:>|.]+\s*')
# Marks of a table without column names, if the file has no other tags.
FLAGS = {'x', 'y', 'n', 't', 'f', '✓', '✔', 'present', 'absent'}
IF_CLASS = f'list all classes in a first line `{CLASS_LINE},...` (JSON: "classes") if it is one'


@cache
def tidy_name(name: str) -> str:
    """A tag in the form in which tags that look the same are the same text."""
    return ' '.join(visible_name(name).split())


def _words(name: str) -> list[str]:
    return re.split(r'[\W_]+', name.casefold())


def is_image_name(name: str) -> bool:
    """Whether a name ends like that of an image."""
    return IMAGE_NAME.fullmatch(name) is not None


def is_garbled(name: str) -> bool:
    """Whether a name in UTF-8 was read in another encoding."""
    for encoding in () if name.isascii() else ('cp1252', 'latin-1'):
        with suppress(UnicodeError):
            return bool(name.encode(encoding).decode())
    return False


def is_unlabeled(name: str) -> bool:
    """Whether a name says that an image has no tags, or none yet."""
    return ''.join(filter(str.isalnum, name.casefold())) in UNLABELED


def check_letters(path: object, name: str, place: str) -> None:
    """Refuse names of which a letter was lost.

    Args:
        path: The file, for messages.
        name: The name.
        place: Where it stands, such as ``'line 3'``.

    Raises:
        UserError: If it cannot be written, or has the mark of a letter that a program lost.
    """
    if LOST.search(name):
        raise UserError(
            f'{path} has the name {name!a} in {place}, of which a letter is lost: write it again, '
            'and save the file as UTF-8.'
        )


def check_class(path: object, name: str, place: str) -> None:
    """Refuse names with a mark that has a meaning elsewhere, for columns as well as for tags.

    Args:
        path: The file, for messages.
        name: The name.
        place: Where it stands, such as ``'line 3'``.

    Raises:
        UserError: If it is no name of a class.
    """
    check_letters(path, name, place)
    problem, marked = '', MARK.fullmatch(name)
    if is_unlabeled(name):
        problem = (
            ': write no tag if the photo shows none of the classes, remove the photo if nobody '
            'has looked'
        )
    elif name and (name[0] in QUOTES or name[-1] in QUOTES):
        problem = ' with a quotation mark: remove it, write straight ones (") around whole cells'
    elif marked:
        problem = (
            f', in which {(marked[1] or marked[2]).strip()!r} has no meaning: write `dog` if there'
            ' is a dog, no tag if there is none, `?dog` if it is unknown'
        )
    if problem:
        raise UserError(f'{path} has the tag {name!r} in {place}{problem}, or {IF_CLASS}.')


def check_tag(path: object, tag: str, place: str) -> None:
    """Refuse a tag that cannot be the name of a class.

    Args:
        path: The file, for messages.
        tag: The tag, without the mark of unsure ones.
        place: Where it stands, such as ``'line 3'``.

    Raises:
        UserError: If it is no name of a class.
    """
    name = tidy_name(tag)
    if SEPARATOR.search(tag.strip()):
        parts = SEPARATOR.sub(' and ', tag)
        raise UserError(
            f'{path} has the tag {tag!r} in {place}, which may be one class or several: write '
            f'{parts} as tags of their own, or {IF_CLASS}.'
        )
    if NO_TAG.fullmatch(name) or is_image_name(name):
        raise UserError(
            f'{path} has the tag {name!r} in {place}, which looks like no class: write names of '
            'classes (columns of 0 and 1, confidences or boxes need a first line of column names),'
            f' or {IF_CLASS}.'
        )
    check_class(path, name, place)


def check_joined(path: object, names: Iterable[str], several: bool) -> None:
    """Refuse tags such as ``dog/cat`` if ``dog`` is a tag too.

    Args:
        path: The file, for messages.
        names: All tags of the file.
        several: Whether an image has several tags, so that blanks do not separate them.

    Raises:
        UserError: If a tag may be one class or several.
    """
    names = sorted(names)
    known = {name.casefold() for name in names}
    if names and known <= FLAGS:
        raise UserError(
            f'{path} has no tags but {names[0]!r}: write a first line of column names.'
        )
    for name in names:
        parts = JOINTS.split(name.casefold().rstrip('+'))
        ways = [WORDS.split(name), [name] if several else name.split()]
        joined = any(len(words) > 1 and set(words) <= set(names) for words in ways)
        if joined or (len(parts) > 1 and known & set(parts)):
            raise UserError(
                f'{path} has the tag {name!r} and also tags that are parts of it, so that it may '
                f'be one class or several: separate tags by `;`, or {IF_CLASS}.'
            )


def find_doubts(path: object, classes: Sequence[str], listed: bool, several: bool) -> list[str]:
    """Find classes that may be meant otherwise.

    Args:
        path: The file, for messages.
        classes: All classes.
        listed: Whether the file has a list of its classes, so that each is one.
        several: Whether an image has several tags, so that blanks do not separate them.

    Returns:
        A sentence for each kind of doubt.
    """
    denied = re.compile('(no|non|without|absent|false|kein|keine|ohne)[ _:-]|.*[ _]not$')
    blanks = [name for name in classes if ' ' in name and not denied.match(name.casefold())]
    words = [*chain.from_iterable(map(str.split, blanks)), *set(classes).difference(blanks)]
    shared = not several and len(set(words)) < len(words)
    known = {name.casefold() for name in classes}
    flags = [name for name in classes if ATTRIBUTE.match(name.casefold())]
    kinds = {
        'a class: leave it out if it only says that a photo shows no class': [
            name for name in classes if ''.join(filter(str.isalnum, name.casefold())) in NO_CLASS
        ],
        'one class each: separate tags by `;`': [
            name
            for name in classes
            if re.match(r'[^/].*([/&+,\\،؛、，；／＋＆｜]|\w (and|und) )\s*\w', name)
            or {name.casefold()}
            < {name.casefold(), *re.split(r'[\W_]+', name.casefold())}
            <= known
        ],
        'one class each: separate tags by `;` if the blanks separate them': blanks * shared,
        'a class of its own: leave it out if it says that another one is absent': [
            name for name in classes if denied.match(name.casefold())
        ],
        'a class: remove the column if it says something else': (
            flags * (len(flags) < len(classes))
        ),
    }
    found = [] if listed else [(names, text) for text, names in kinds.items() if names]
    same = 'classes of their own: use one name if they are the same'
    found += [(names, same) for names in similar_names(classes)]
    letters = {
        'one word of letters of two alphabets: write it in one': list(
            filter(MIXED.search, classes)
        ),
        'a class: save the file as UTF-8 if its letters are wrong': list(
            filter(is_garbled, classes)
        ),
        'a class: write it again if a program has changed it': list(
            filter(CHANGED.fullmatch, classes)
        ),
    }
    found += [(names, text) for text, names in letters.items() if names]
    return [
        f'{path} has {", ".join(map(repr, names[:3]))}{" ..." if names[3:] else ""}, taken for '
        f'{text}.'
        for names, text in found
    ]
