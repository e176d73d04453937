import pytest

from mmlabelpenet.utils import UserError, explain_read_errors


def test_any_error_becomes_a_sentence_with_file_and_remedy():
    with (
        pytest.raises(UserError) as caught,
        explain_read_errors('a.json', 'predictions', 'write it again'),
    ):
        raise KeyError('boxes')
    assert str(caught.value) == "a.json cannot be read as predictions (KeyError: 'boxes'): " + (
        'write it again.'
    )
    assert isinstance(caught.value.__cause__, KeyError)


def test_a_sentence_is_left_alone():
    with pytest.raises(UserError, match=r'^Enough$'), explain_read_errors('a', 'b', 'c'):
        raise UserError('Enough')


def test_a_readable_file_is_read():
    def read():
        with explain_read_errors('a.json', 'a config', 'fix it'):
            return 3

    assert read() == 3
