import pytest

from .conftest import REPOSITORY, load_tool

code_numbers = load_tool('misc/code_numbers')

FILES = {
    'mmlabelpenet/__init__.py': '"""All."""\nfrom .models import One\nfrom .version import V\n',
    'mmlabelpenet/version.py': '"""Version."""\nV = 1\n',
    'mmlabelpenet/models/__init__.py': '"""Models."""\nfrom .one import One\nfrom . import two\n',
    # 5 statements: an import, a class, a method, a condition and what it returns
    'mmlabelpenet/models/one.py': '''"""One."""

from ..version import V


class One:
    """A class."""

    def get(self, key: str) -> int:
        """Get.

        Nothing more.
        """

        if key:
            return V
''',
    'mmlabelpenet/models/two.py': '"""Two."""\nimport mmlabelpenet.version\n',
    'mmlabelpenet/models/detectors/label_penet.py': '"""Detector."""\n\n\nX = 1\n',
    'tools/tool.py': '"""Tool."""\nx = 1; y = 2\n',
    'benchmark/speed.py': '"""Speed."""\nz = 3\n',
}


@pytest.fixture
def repository(tmp_path):
    def make(**changes):
        for path, text in {**FILES, **changes}.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(text)
        return tmp_path

    return make


def numbers_of(root):
    return {name: number for name, (number, _) in code_numbers.measure(root).items()}


def test_numbers_of_a_small_package_are_those_counted_by_hand(repository):
    assert numbers_of(repository()) == {
        'lines of the detector': 4,
        'lines of the longest file': 16,
        'statements of models, engine, structures': 2 + 5 + 1 + 1,
        'statements of the package': 2 + 1 + 9,
        'statements of tools and benchmark': 3,
        'lines of a function, median': 8,
        'lines of a function, 90 %': 8,
        'without docstring and blank lines, median': 3,
        'without docstring and blank lines, 90 %': 3,
        'import circles': 0,
        'functions without type hints': 0,
        'public names without docstring': 0,
    }


@pytest.mark.parametrize(
    ('line', 'circle'),
    [
        ('from mmlabelpenet.models import One', 'mmlabelpenet.models'),
        ('from . import One', 'mmlabelpenet.models'),
        ('import mmlabelpenet.models', 'mmlabelpenet.models'),
        ('from .. import V', 'mmlabelpenet'),
        ('from .one import One', None),
        ('from . import one', None),
        ('def later() -> None:\n    from . import One', None),
    ],
)
def test_a_module_that_imports_its_own_package_makes_a_circle(repository, line, circle):
    path = 'mmlabelpenet/models/two.py'
    root = repository(**{path: f'"""Two."""\n{line}\n'})
    number, names = code_numbers.measure(root)['import circles']
    assert number == (circle is not None)
    for name in names:
        assert {circle, 'mmlabelpenet.models.two'} <= set(name.split(' <- '))


def test_missing_hints_and_docstrings_are_named(repository):
    text = (
        'def f(x, *y: int) -> None:\n    "F."\n\n\ndef _g():\n    pass\n\n\nclass C:\n    x = 1\n'
    )
    found = code_numbers.measure(repository(**{'tools/tool.py': text}))
    assert found['functions without type hints'][1] == ['tools/tool.py:1 f', 'tools/tool.py:5 _g']
    assert found['public names without docstring'][1] == ['tools/tool.py ', 'tools/tool.py C']


def test_the_check_fails_where_a_file_is_too_long(repository, capsys):
    assert code_numbers.main([str(repository()), '--check']) == 0
    long = '"""Long."""\n' + '# line\n' * 350
    root = repository(**{'mmlabelpenet/version.py': long + 'V = 1\n'})
    assert code_numbers.main([str(root)]) == 0
    assert code_numbers.main([str(root), '--check']) == 1
    (line,) = [one for one in capsys.readouterr().out.splitlines()[-12:] if 'too large' in one]
    words = 'lines of the longest file 352 459 350 too large: mmlabelpenet/version.py'
    assert ' '.join(line.split()) == words


def test_all_code_is_hinted_and_documented_and_without_circles():
    numbers = numbers_of(REPOSITORY)
    assert list(numbers.values())[-3:] == [0, 0, 0]
