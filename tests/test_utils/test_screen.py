"""The screen: short lines, warnings and progress; everything else is in the log file."""

import io
import logging
import warnings

import mmengine.logging
import pytest
from mmengine.logging import MMLogger

from mmlabelpenet.known_messages import ONEDL, drop_known_messages
from mmlabelpenet.utils import progress_bar, quieten, say
from mmlabelpenet.utils import screen as module

EXPECTED = (
    'backbone.conv.weight is skipped since its requires_grad=False',
    '`save_param_scheduler` is True but `self.param_schedulers` is None, so skip saving',
    '"FileClient" will be deprecated in future.',
    '"HardDiskBackend" is the alias of "LocalBackend" and the former will be deprecated',
)


@pytest.fixture
def logger(tmp_path, capsys):
    """A quiet logger that is mmengine's current one, with a file."""
    made = MMLogger.get_instance(str(tmp_path), log_file=str(tmp_path / 'run.log'))
    quieten(made)
    yield made
    MMLogger._instance_dict.pop(str(tmp_path))


def test_the_screen_has_own_lines_and_warnings_and_the_file_everything(logger, tmp_path, capsys):
    say('Phase one of two')
    lines = (
        'paramwise_options -- a:lr=1',
        'a is skipped',
        'lost',
        *EXPECTED,
    )
    logger.info(lines[0])
    logger.warning(lines[1])
    logger.error(lines[2])
    for line in EXPECTED:
        logger.warning(line)
    shown, kept = capsys.readouterr().out.splitlines(), (tmp_path / 'run.log').read_text()
    assert shown[0] == 'Phase one of two'
    assert [line.rpartition(' - ')[2] for line in shown[1:]] == list(lines[1:3])
    assert all(line in kept for line in ('Phase one of two', *lines))


def test_other_processes_show_errors_only(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr('mmengine.logging.logger._get_rank', lambda: 1)
    monkeypatch.setattr(module, 'is_main_process', lambda: False)
    logger = MMLogger.get_instance(f'{tmp_path}/1')
    quieten(logger)
    say('Phase')
    logger.warning('odd')
    logger.error('lost')
    with progress_bar('training', 2) as bar:
        bar.update()
    MMLogger._instance_dict.pop(f'{tmp_path}/1')
    found = capsys.readouterr()
    assert found.out.endswith('lost\n')
    assert found.out.count('\n') == 1
    assert not found.err


def advance(total):
    bar = progress_bar('first', total)
    for _ in range(total):
        bar.set_postfix_str('loss 0.250', refresh=False)
        bar.update()
    bar.close()


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize('size', [(0, 0), (100, 0), (100, 30)])
def test_a_terminal_has_a_bar_with_loss_and_time_left(monkeypatch, size):
    terminal = Terminal()
    monkeypatch.setattr('sys.stderr', terminal)
    monkeypatch.setattr('shutil.get_terminal_size', lambda fallback: size)
    advance(4)
    last = terminal.getvalue().rstrip().rpartition('\r')[2]
    assert last.startswith('first: 100%|')
    assert '4/4' in last
    assert last.endswith('00:00 left, loss 0.250]')


def test_without_a_terminal_there_are_few_whole_lines(monkeypatch, capsys):
    advance(1000)
    assert not capsys.readouterr().err
    monkeypatch.setitem(module.LINES, 'mininterval', 0)
    advance(1000)
    lines = capsys.readouterr().err.splitlines()
    assert 1 < len(lines) <= 100
    assert '\r' not in ''.join(lines)
    assert lines[0].startswith('first: 10/1000 [')
    assert lines[0].endswith('left, loss 0.250]')


def test_known_messages_of_other_packages_are_dropped(monkeypatch, capsys):
    monkeypatch.setattr(mmengine.logging, 'print_log', mmengine.logging.print_log)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        drop_known_messages()
        for text in (
            'Grad strides do not match bucket view strides. This may',
            'Setting MKL_NUM_THREADS environment variable for each process',
            'Grad strides match',
        ):
            warnings.warn(text, stacklevel=1)
    assert [str(one.message) for one in caught] == ['Grad strides match']
    for line in (ONEDL, f'{ONEDL} But why?'):
        mmengine.logging.print_log(line, level=logging.DEBUG)
    assert capsys.readouterr().out == f'{ONEDL} But why?\n'
