"""The bar of a training, and the lines of its phases."""

from mmengine.hooks import Hook

from mmlabelpenet.engine.hooks import ScreenHook
from mmlabelpenet.registry import HOOKS
from mmlabelpenet.utils import quieten

from .toy_training import runner_of


def read_bar(hook):
    return hook.bar.desc, hook.bar.n, hook.bar.total, hook.bar.postfix


def test_one_bar_goes_through_all_phases(tmp_path, monkeypatch):
    said, states = [], []
    for place in ('loops.curriculum_train_loop', 'hooks.screen'):
        monkeypatch.setattr(f'mmlabelpenet.engine.{place}.say', said.append)
    runner = runner_of(tmp_path, hooks=dict(screen=dict(type='ScreenHook')))
    quieten(runner.logger)
    (screen,) = (hook for hook in runner.hooks if isinstance(hook, ScreenHook))

    class Watch(Hook):
        priority = 'LOWEST'

        def before_train(self, runner):
            runner.call_hook('report_progress', text='feature statistics 1/2')
            states.append(read_bar(screen))

        def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
            states.append(read_bar(screen))

    runner.register_hook(Watch())
    runner.train()
    assert states[0][:3] == ('feature statistics 1/2: ', 0, 12)
    assert [one[:3] for one in states[4:6]] == [('first: ', 4, 12), ('second: ', 5, 12)]
    assert all(one[3].startswith('loss ') for one in states[1:])
    assert screen.bar.disable
    assert said[0].startswith('The whole log is in ')
    assert said[1:3] == [
        'Phase first (1 of 2) trains a for 1 epoch: iterations 1 to 4 of 12',
        'Phase second (2 of 2) trains b for 2 epochs: iterations 5 to 12 of 12',
    ]
    assert said[3].startswith('The last checkpoint is ')
    assert len(said) == 4


def test_a_verbose_screen_has_no_bar(tmp_path):
    hook = HOOKS.build(dict(type='ScreenHook', verbose=True))
    runner = runner_of(tmp_path)
    handlers = list(runner.logger.handlers)
    for place in ('before_train', 'after_train'):
        getattr(hook, place)(runner)
        assert hook.bar.disable
    assert runner.logger.handlers == handlers


def test_validations_are_said_in_a_line(tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr('mmlabelpenet.engine.hooks.screen.say', said.append)
    hook, runner = ScreenHook(), runner_of(tmp_path)
    hook.before_train(runner)
    hook.after_val_epoch(runner, {'bbox_mAP_50': 0.25, 'segm_mAP_50': 0.125})
    assert said[-1] == 'Validation at iteration 0: bbox_mAP_50 0.250, segm_mAP_50 0.125'
    hook.bar.close()
