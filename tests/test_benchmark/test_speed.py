"""Every measurement runs and is written; no time is asserted."""

import json

import pytest

SMALL = ['--size', '64', '--proposals', '16', '--num-images', '2', '--rounds', '1', '--pairs', '2']


@pytest.mark.slow
def test_every_ratio_is_measured_and_reported(benchmark_module, tmp_path):
    speed = benchmark_module('speed')
    page = tmp_path / 'page.md'
    page.write_text('above\n<!-- speed.py begin -->\n<!-- speed.py end -->\nbelow\n')
    out = tmp_path / 'speed.json'
    speed.main(
        [
            *SMALL,
            '--device',
            'cpu',
            '--out',
            str(out),
            '--docs',
            str(page),
            '--images',
            str(tmp_path),
        ]
    )
    result = json.loads(out.read_text())
    assert set(speed.RATIOS) <= set(result['ratios'])
    assert all(value > 0 for value in result['ratios'].values())
    assert set(result['curves']) == {'proposals', 'short side', 'instances'}
    assert (tmp_path / 'speed.png').stat().st_size > 1000
    text = page.read_text()
    assert text.count('\n| ') == 1 + len(speed.RATIOS)
    assert text.startswith('above\n')
    assert text.endswith('below\n')


def test_actions_take_turns_and_the_first_round_does_not_count(benchmark_module):
    speed = benchmark_module('speed')
    order = []
    times = speed.medians([lambda: order.append('a'), lambda: order.append('b')], 2, 'cpu')
    assert order == ['a', 'b'] * 3
    assert len(times) == 2


def test_the_plot_holds_every_point(benchmark_module, tmp_path, monkeypatch):
    speed = benchmark_module('speed')
    drawn = []
    monkeypatch.setattr(speed, 'save_figure', lambda figure, path: drawn.append(figure))
    curves = dict(one={'1': 0.1, '2': 0.2}, two={'1': 0.3, '2': 0.9})
    speed.plot_curves(curves, tmp_path / 'curves.png')
    [figure] = drawn
    for axes in figure.axes:
        low, high = axes.get_ylim()
        assert low == 0
        assert high >= 0.9
