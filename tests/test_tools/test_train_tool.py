import pytest
import torch

from mmlabelpenet.apis.training import latest_checkpoint, train_detector
from mmlabelpenet.engine.optimisation import BFloat16OptimWrapper
from mmlabelpenet.utils import AtomicBackend, UserError


def expect_error(capsys, run, *args):
    """Run a tool that must fail; return its one sentence."""
    with pytest.raises(SystemExit) as exit_info:
        run(*args)
    assert exit_info.value.code == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith('error: ')
    return last


def test_training_writes_a_checkpoint_and_resumes_from_it(tool, config, tmp_path):
    tool('train', config, '--seed', '3')
    first = torch.load(tmp_path / 'work' / 'epoch_1.pth', weights_only=False)
    assert first['meta']['seed'] == 3
    tool('train', config, '--resume', '--cfg-options', 'train_cfg.max_epochs=2')
    second = torch.load(tmp_path / 'work' / 'epoch_2.pth', weights_only=False)
    assert second['meta']['iter'] == 6
    weights = [part['state_dict']['layer.weight'] for part in (first, second)]
    assert not torch.equal(*weights)


def test_the_screen_is_short_and_the_log_file_whole(tool, config, tmp_path, capsys):
    tool('train', config, '--cfg-options', 'experiment_name=quiet')
    checkpoint = tmp_path / 'work' / 'epoch_1.pth'
    (log,) = (tmp_path / 'work').rglob('*.log')
    screen = capsys.readouterr().out.splitlines()
    assert screen == [f'The whole log is in {log}', f'The last checkpoint is {checkpoint}']
    whole = log.read_text()
    assert all(part in whole for part in ('System environment', 'Config:', 'Epoch(train)'))
    tool('test', config, checkpoint, '--cfg-options', 'experiment_name=quiet_test')
    screen = capsys.readouterr().out
    assert '| metric ' in screen
    assert screen.splitlines()[-1].endswith('epoch_1.metrics.json')
    assert '| class ' not in screen
    assert 'INFO' not in screen


def test_a_verbose_screen_shows_the_whole_log(tool, config, capsys):
    tool('train', config, '--verbose', '--cfg-options', 'experiment_name=verbose')
    screen = capsys.readouterr()
    assert 'Epoch(train)' in screen.out
    assert 'Config:' in screen.out
    assert 'left' not in screen.err


def test_the_bar_ends_before_the_sentence_of_an_error(tool, config, monkeypatch, capsys):
    monkeypatch.setattr('sys.stderr.isatty', lambda: True)

    def fail(*args, **kwargs):
        raise UserError('The loss is lost.')

    monkeypatch.setattr('mmlabelpenet.engine.hooks.FiniteLossHook.after_train_iter', fail)
    assert expect_error(capsys, tool, 'train', config) == 'error: The loss is lost.'


def test_a_cut_run_goes_on_from_the_latest_whole_checkpoint(tmp_path):
    assert latest_checkpoint(str(tmp_path)) is None
    for epoch in (2, 9, 10):
        (tmp_path / f'epoch_{epoch}.pth').touch()
    (tmp_path / 'pretrained_12.pth').touch()
    last, note = str(tmp_path / 'epoch_10.pth'), tmp_path / 'last_checkpoint'
    assert latest_checkpoint(str(tmp_path)) == last
    for text in ('', str(tmp_path / 'epoch_11.pth')):
        note.write_text(text)
        assert latest_checkpoint(str(tmp_path)) == last
    note.write_text(str(tmp_path / 'epoch_9.pth'))
    assert latest_checkpoint(str(tmp_path)) == str(tmp_path / 'epoch_9.pth')


def test_a_checkpoint_that_can_not_be_written_leaves_the_old_one(tmp_path):
    path = tmp_path / 'new_folder' / 'epoch_1.pth'
    AtomicBackend().put(b'whole', path)
    with pytest.raises(TypeError):
        AtomicBackend().put('not bytes', path)
    assert path.read_bytes() == b'whole'
    assert [file.name for file in path.parent.iterdir()] == ['epoch_1.pth']


def test_the_work_folder_is_named_after_the_config(tool, config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config.write_text(config.read_text().replace('work_dir =', 'elsewhere ='))
    tool('train', config)
    assert (tmp_path / 'work_dirs' / 'toy' / 'epoch_1.pth').is_file()


@pytest.mark.skipif(torch.cuda.is_available(), reason='with CUDA --amp means float16')
def test_amp_trains_in_bfloat16_on_the_cpu(config, tmp_path):
    from mmengine.config import Config

    cfg = Config.fromfile(config)
    cfg.launcher = 'none'
    runner = train_detector(cfg, amp=True)
    assert isinstance(runner.optim_wrapper, BFloat16OptimWrapper)
    assert runner.model.dtypes == {torch.bfloat16}
    assert runner.model.layer.weight.dtype == torch.float32


def test_auto_scale_lr_needs_to_know_the_batch_size(config):
    from mmengine.config import Config

    with pytest.raises(UserError, match='base_batch_size'):
        train_detector(Config.fromfile(config), auto_scale_lr=True)


def test_a_missing_config_is_reported(tool, capsys):
    assert 'no config nope.py' in expect_error(capsys, tool, 'train', 'nope.py')


def test_a_broken_config_is_reported(tool, capsys, tmp_path):
    path = tmp_path / 'broken.py'
    path.write_text('model = dict(')
    assert 'broken.py cannot be read as a config' in expect_error(capsys, tool, 'train', path)


def test_a_missing_devkit_is_reported(tool, capsys, config, tmp_path):
    nowhere = tmp_path / 'nowhere'
    error = expect_error(
        capsys,
        tool,
        'train',
        config,
        '--cfg-options',
        f'train_dataloader.dataset.data_root={nowhere}',
    )
    assert f'no data set at {nowhere}' in error


def test_missing_proposals_are_reported_from_a_worker(tool, capsys, config, tmp_path):
    text = config.read_text().replace(
        "    dict(type='LoadAnnotations', with_bbox=True),\n",
        f"    dict(type='LoadRegionProposals', proposal_root={str(tmp_path)!r}),\n",
    )
    config.write_text(text.replace('num_workers=0', 'num_workers=1'))
    error = expect_error(capsys, tool, 'train', config)
    assert str(tmp_path / 'Shapes' / 'train_00000.npz') in error


def test_a_missing_checkpoint_to_resume_from_is_reported(tool, capsys, config):
    error = expect_error(capsys, tool, 'train', config, '--resume', 'gone.pth')
    assert 'no checkpoint gone.pth' in error
