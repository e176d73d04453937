"""Every command in README and docs/ runs as it is written there."""

import re

import pytest

from .pages import REPOSITORY, Block, blocks_of, pages
from .python_shim import with_extra_arguments
from .workspace import LINKED, run_blocks, run_notebook

PAGE = """
Words.

```bash
echo one
```

<!-- not run: needs a GPU -->
```bash
nvidia-smi
```

- in a list

  ```bash
  echo two
  ```

```python
print('no command')
```

<!-- run -->
```python
print('a command')
```
"""


def test_blocks_are_found_in_order_with_marks_and_lines():
    assert blocks_of(PAGE) == [
        Block(5, 'echo one'),
        Block(10, 'nvidia-smi', 'needs a GPU'),
        Block(16, 'echo two'),
        Block(25, "python - <<'END'\nprint('a command')\nEND"),
    ]


@pytest.mark.parametrize(
    ('page', 'message'),
    [
        ('<!-- not run: -->\n```bash\nls\n```\n', 'line 1: the mark has no reason'),
        ('<!-- not run: big -->\nwords\n', 'line 2: no bash block follows'),
        ('<!-- not run: big -->\n```python\n1\n```\n', 'line 2: no bash block follows'),
        ('<!-- run -->\n```bash\nls\n```\n', 'line 2: no python block follows'),
        ('```bash\nls\n', 'ends within a block'),
        ('<!-- run -->\n', 'ends after a mark'),
    ],
)
def test_a_wrong_mark_is_an_error(page, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        blocks_of(page)


def test_blocks_share_one_terminal_and_marked_blocks_are_skipped(tmp_path):
    blocks = [Block(1, 'A=one'), Block(5, 'exit 3', 'would fail'), Block(9, 'echo $A > found')]
    assert run_blocks(blocks, tmp_path, tmp_path) is None
    assert (tmp_path / 'found').read_text() == 'one\n'


@pytest.mark.parametrize('broken', ['false', 'false | cat', 'ls missing_file', 'echo $UNSET'])
def test_a_failing_command_is_reported_with_its_block(tmp_path, broken):
    blocks = [Block(1, 'true'), Block(5, f'{broken}\ntrue'), Block(9, 'touch later')]
    failure = run_blocks(blocks, tmp_path, tmp_path)
    assert failure.line == 5
    assert not (tmp_path / 'later').exists()


def test_only_some_commands_get_extra_arguments():
    test = ['tools/test.py', 'a.py', 'b.pth']
    assert with_extra_arguments(test) == test
    train = ['tools/train.py', 'configs/label_penet/label-penet_effnet-lite0_shapes.py']
    assert with_extra_arguments(train)[:3] == [*train, '--cfg-options']


@pytest.mark.slow
@pytest.mark.parametrize('end', ['sys.exit(3)', 'raise ValueError("3")', 'os.abort()'])
def test_a_file_has_the_surroundings_of_its_command_and_its_exit_code_counts(
    end, tmp_path, programs
):
    (tmp_path / 'tool.py').write_text(
        'import os, sys\n'
        f'print(__name__, *sys.argv, os.environ["KEY"], sys.stdin.read(), flush=True)\n{end}\n'
    )
    command = 'mkdir -p sub; cd sub; echo word | KEY=value python ../tool.py --flag 1'
    failure = run_blocks([Block(4, command)], tmp_path, programs)
    assert failure.line == 4
    assert failure.code != 0
    assert (failure.code == 3) == ('exit' in end)
    assert '__main__ ../tool.py --flag 1 value word' in failure.output


@pytest.mark.slow
@pytest.mark.parametrize('name', pages())
def test_the_commands_of_a_page_run(name, request):
    blocks = blocks_of((REPOSITORY / name).read_text())
    if all(block.reason is not None for block in blocks):
        pytest.skip(f'{name} has no command that can run here')
    place, programs = request.getfixturevalue('workspace'), request.getfixturevalue('programs')
    failure = run_blocks(blocks, place, programs)
    assert failure is None, f'{name}, line {failure.line} ({failure.code}):\n{failure.output}'


@pytest.mark.slow
def test_the_cells_of_the_tour_run(workspace, programs):
    run_notebook(REPOSITORY / 'docs/start/tour.ipynb', workspace, programs)


@pytest.mark.slow
def test_a_workspace_holds_the_repository_alone_until_a_command_adds_to_it(workspace, programs):
    before = {path.name for path in workspace.iterdir()}
    assert before == {'configs', *(name for name in LINKED if (REPOSITORY / name).is_dir())}
    assert run_blocks([Block(1, 'make demo')], workspace, programs) is None
    added = {path.name for path in workspace.iterdir()} - before
    assert added == {'.block', '.venv', 'data', 'work_dirs'}
    assert run_blocks([Block(1, 'make rubbish')], workspace, programs).code == 2
