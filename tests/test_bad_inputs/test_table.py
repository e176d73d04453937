import pytest

from mmlabelpenet.utils import UserError

from .table import KINDS, PAGE, BadInput, NoSentenceError, answer, page, rows_of

ROWS = {f'{kind}: {row.name}': row for kind in KINDS for row in rows_of(kind)}


@pytest.mark.parametrize('row', ROWS.values(), ids=ROWS)
def test_a_bad_input_gets_its_sentence(row: BadInput, tmp_path, monkeypatch):
    monkeypatch.delenv('LOCAL_RANK', raising=False)
    assert answer(row.run, tmp_path) == row.sentence


def test_names_are_unique():
    assert len(ROWS) == sum(len(rows_of(kind)) for kind in KINDS)


def test_the_page_shows_the_rows():
    assert PAGE.read_text(encoding='utf-8') == page(), (
        'write it: python -m tests.test_bad_inputs.table'
    )


def raises(error):
    def run(root):
        raise error

    return run


def test_only_a_sentence_counts(tmp_path):
    assert answer(raises(UserError(f'{tmp_path}/a is bad: fix it.')), tmp_path) == (
        '{root}/a is bad: fix it.'
    )
    with pytest.raises(NoSentenceError, match='accepted'):
        answer(lambda root: 7, tmp_path)
    with pytest.raises(NoSentenceError, match='exit code 1'):
        answer(raises(SystemExit(1)), tmp_path)
    with pytest.raises(ZeroDivisionError):
        answer(raises(ZeroDivisionError()), tmp_path)
