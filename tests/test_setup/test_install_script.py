"""The set-up names in one sentence what is missing, and takes an interpreter that runs."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMMANDS = ('bash', 'basename', 'dirname', 'env')


@pytest.fixture
def bin_folder(tmp_path):
    """A path of its own with the commands that the check itself uses, and no compiler."""
    folder = tmp_path / 'bin'
    folder.mkdir()
    for command in COMMANDS:
        (folder / command).symlink_to(shutil.which(command))
    return folder


def add_script(folder, name, text):
    script = folder / name
    script.write_text(f'#!/usr/bin/env bash\n{text}\n')
    script.chmod(0o755)
    return script


def check(bin_folder, **settings):
    environment = {'PATH': str(bin_folder), 'DEVICE': 'cpu', **settings}
    return subprocess.run(
        ['bash', str(ROOT / 'tools/misc/install.sh'), '--check'],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def add_needs(folder):
    for command in ('g++', 'make'):
        add_script(folder, command, 'exit 0')


def assert_one_sentence(result, *words):
    assert result.returncode != 0
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    for word in words:
        assert word in lines[0]


def python_script(bin_folder, name='python3.11', version=None, lacks=None):
    """An interpreter that says another version, or lacks a module."""
    lines = []
    if version is not None:
        lines.append(f'case "$2" in *version_info*) echo {version}; exit 0;; esac')
    if lacks is not None:
        lines.append(f'[ "$2" != "import {lacks}" ] || exit 1')
    lines.append(f'exec {sys.executable} "$@"')
    return add_script(bin_folder, name, '\n'.join(lines))


def test_a_shim_that_only_fails_is_passed_over(bin_folder):
    add_needs(bin_folder)
    add_script(bin_folder, 'python3.11', 'echo "python3.11: command not found" >&2; exit 127')
    python_script(bin_folder, 'python3.12', version='3.12')
    result = check(bin_folder)
    assert result.stderr == '' or 'headers' in result.stderr  # no line of the shim's own
    assert 'python3.12' in result.stdout


def test_no_python_in_range_is_named(bin_folder):
    python_script(bin_folder, 'python3', version='3.13')
    assert_one_sentence(check(bin_folder), '3.10', '3.12', 'PYTHON=')


@pytest.mark.parametrize('version', ['3.9', '3.13', '2.7'])
def test_a_chosen_python_out_of_range_is_named(bin_folder, version):
    script = python_script(bin_folder, 'chosen', version=version)
    assert_one_sentence(check(bin_folder, PYTHON=str(script)), str(script), version)


def test_a_chosen_python_that_does_not_exist_is_named(bin_folder):
    assert_one_sentence(check(bin_folder, PYTHON='/no/such/python'), '/no/such/python')


@pytest.mark.parametrize('module', ['venv', 'ensurepip'])
def test_a_missing_module_is_named(bin_folder, module):
    add_needs(bin_folder)
    python_script(bin_folder, lacks=module)
    assert_one_sentence(check(bin_folder), module)


@pytest.mark.parametrize('command', ['g++', 'make'])
def test_a_missing_command_is_named(bin_folder, command):
    add_needs(bin_folder)
    (bin_folder / command).unlink()
    python_script(bin_folder)
    assert_one_sentence(check(bin_folder), command)


@pytest.mark.parametrize(('name', 'value'), [('STACK', 'other'), ('DEVICE', 'tpu')])
def test_an_unknown_choice_is_named(bin_folder, name, value):
    assert_one_sentence(check(bin_folder, **{name: value}), f'{name}={value}')


def test_a_cuda_driver_asks_for_a_compiler_of_its_own(bin_folder):
    add_needs(bin_folder)
    python_script(bin_folder)
    (bin_folder / 'grep').symlink_to(shutil.which('grep'))
    add_script(bin_folder, 'nvidia-smi', 'echo "GPU 0: some card"')
    result = check(bin_folder, DEVICE='', CUDA_HOME=os.devnull)
    assert_one_sentence(result, 'nvcc', 'DEVICE=cpu')
