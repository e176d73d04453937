"""Files appear whole or not at all, and nothing is left of killed writes."""

import errno
import multiprocessing
import os
import resource
import signal

import pytest

from mmlabelpenet.utils import (
    Parser,
    UserError,
    WriteError,
    atomic_path,
    require_writable,
    write_bytes,
)


def hidden(folder):
    return [path.name for path in folder.iterdir() if '.tmp' in path.name]


def write_and_die(path):
    with atomic_path(path) as temporary:
        temporary.write_bytes(b'half')
        os.kill(os.getpid(), signal.SIGKILL)


def test_the_rest_of_a_killed_write_goes_with_the_next_one(tmp_path):
    process = multiprocessing.get_context('spawn').Process(
        target=write_and_die, args=(tmp_path / 'a.json',)
    )
    process.start()
    process.join()
    left = hidden(tmp_path)
    assert len(left) == 1
    # of other processes that run, of other machines, of another container of this machine, and
    # the user's own files
    running = left[0].replace(f'.{process.pid}-', f'.{os.getppid()}-')
    space = os.stat('/proc/self/ns/pid').st_ino
    container = left[0].replace(f'-{space}.', f'-{space + 1}.')
    assert container != left[0]
    kept = [running, container, '.a.host.1-0.tmp.json', '.mine.tmp', 'b.tmp.json']
    for name in kept:
        (tmp_path / name).touch()
    write_bytes(tmp_path / 'b.json', b'whole')
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*kept, 'b.json'])


def test_writes_within_writes_do_not_remove_each_other(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with atomic_path('a.json') as outer:
        outer.write_bytes(b'outer')
        write_bytes(tmp_path / 'b.json', b'inner')
    assert (tmp_path / 'a.json').read_bytes() == b'outer'
    assert not hidden(tmp_path)


def test_a_full_disk_is_one_sentence_and_leaves_the_old_file(tmp_path):
    path = tmp_path / 'a.json'
    path.write_bytes(b'old')
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        with pytest.raises(WriteError, match=r'a.json cannot be written .*free space') as caught:
            write_bytes(path, b'new' * 100)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert caught.value.errno == errno.EFBIG
    assert isinstance(caught.value, UserError)
    assert path.read_bytes() == b'old'
    assert not hidden(tmp_path)


def test_a_file_as_folder_and_a_folder_as_file_are_sentences(tmp_path):
    (tmp_path / 'file').touch()
    for check in (lambda path: write_bytes(path, b''), require_writable):
        with pytest.raises(UserError, match=r'file/a.json cannot be written'):
            check(tmp_path / 'file' / 'a.json')
    with pytest.raises(UserError, match='is a folder'):
        require_writable(tmp_path)
    (tmp_path / 'b').mkdir()
    with pytest.raises(UserError, match='b cannot be written'):
        write_bytes(tmp_path / 'b', b'')
    require_writable(tmp_path / 'new/a.json')
    require_writable(tmp_path / 'new', folder=True)
    assert not list((tmp_path / 'new').iterdir())


def test_names_as_long_as_a_file_system_allows(tmp_path):
    path = tmp_path / ('ä' * 120 + '.json')
    write_bytes(path, b'1')
    assert path.read_bytes() == b'1'


def test_the_home_folder_is_found_after_an_equals_sign(monkeypatch):
    """A shell expands it at the beginning of a word alone."""
    monkeypatch.setenv('HOME', '/home/me')
    parser = Parser()
    parser.add_argument('--out')
    parser.add_argument('--cfg-options', nargs='+')
    args = parser.parse_args(['--out=~/x', '--cfg-options', 'data_root=~/y', 'a=b~/c'])
    assert args.out == '/home/me/x'
    assert args.cfg_options == ['data_root=/home/me/y', 'a=b~/c']
