"""The console command hands its arguments to the tools."""

import subprocess
import sys

import pytest

from mmlabelpenet import __version__, cli
from mmlabelpenet.resources import resource_path


@pytest.mark.parametrize('name', cli.COMMANDS)
def test_a_command_has_its_tool(name):
    path = cli.COMMANDS[name][0]
    if name == 'inspect' and not resource_path(path).is_file():
        pytest.skip(f'{path} is not written yet')
    assert 'run_command(main)' in resource_path(path).read_text()


def test_a_tool_runs_as_from_its_own_command_line(tmp_path, monkeypatch, capsys):
    tool = tmp_path / 'tool.py'
    tool.write_text('import sys\n\ndef main(argv):\n    print(argv, sys.argv)\n    sys.exit(3)\n')
    monkeypatch.setitem(cli.COMMANDS, 'train', (str(tool), ''))
    monkeypatch.setattr(sys, 'argv', ['before'])
    with pytest.raises(SystemExit) as end:
        cli.main(['train', '--help', 'a b', '--seed', '3', '--', 'c'])
    assert end.value.code == 3
    found = capsys.readouterr().out
    assert found == "None ['mmlabelpenet train', '--help', 'a b', '--seed', '3', '--', 'c']\n"


def test_a_tool_shows_the_name_of_the_command(monkeypatch, capsys):
    monkeypatch.setattr(sys, 'argv', [])
    with pytest.raises(SystemExit) as end:
        cli.main(['check', '--help'])
    assert end.value.code == 0
    assert capsys.readouterr().out.startswith('usage: mmlabelpenet check [-h]')


def test_the_version_is_printed(capsys):
    with pytest.raises(SystemExit) as end:
        cli.main(['--version'])
    assert end.value.code == 0
    assert capsys.readouterr().out == f'mmlabelpenet {__version__}\n'


@pytest.mark.parametrize(
    ('arguments', 'sentence'),
    [
        (['trian'], "invalid choice: 'trian' (choose from "),
        ([], 'the following arguments are required: COMMAND'),
        (['test'], 'gone.py is missing: install mmlabelpenet again.'),
    ],
)
def test_what_is_wrong_gets_a_sentence(arguments, sentence, monkeypatch, capsys):
    monkeypatch.setitem(cli.COMMANDS, 'test', ('tools/gone.py', ''))
    with pytest.raises(SystemExit) as end:
        cli.main(arguments)
    assert end.value.code == 2
    assert sentence in capsys.readouterr().err


def test_an_error_of_a_tool_gets_a_sentence(tmp_path, monkeypatch, capsys):
    tool = tmp_path / 'tool.py'
    tool.write_text(
        'from mmlabelpenet.utils import UserError\n\n'
        'def main(argv):\n    raise UserError("a is bad: fix it.")\n'
    )
    monkeypatch.setitem(cli.COMMANDS, 'test', (str(tool), ''))
    monkeypatch.setattr(sys, 'argv', [])
    with pytest.raises(SystemExit) as end:
        cli.main(['test'])
    assert end.value.code == 2
    assert capsys.readouterr().err == 'error: a is bad: fix it.\n'


@pytest.mark.slow
def test_the_module_is_the_command():
    command = [sys.executable, '-m', 'mmlabelpenet', '--help']
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert all(f'  {name} ' in found for name in cli.COMMANDS)
