"""Every point is measured and written; no time is asserted."""

import json

import pytest


@pytest.fixture
def scaling(benchmark_module):
    return benchmark_module('scaling')


def test_photos_are_started_with_and_checked(scaling, capsys):
    scaling.main(['--point', 'photos', '130'])
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert set(found) == {'imports_mb', 'start_s', 'start_mb', 'check_s', 'check_mb'}
    assert all(value > 0 for value in found.values())


@pytest.mark.slow
@pytest.mark.parametrize(('axis', 'value'), [('classes', 3), ('proposals', 20)])
def test_models_predict_and_train(scaling, capsys, monkeypatch, axis, value):
    small = {'proposals': 16, 'instances': 5, 'short side': 64, 'classes': 20}
    monkeypatch.setattr(scaling, 'DEFAULTS', small)
    scaling.main(['--rounds', '1', '--device', 'cpu', '--point', axis, str(value)])
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert {'predict_s', 'predict_mb', 'joint_step_s', 'joint_step_mb'} < set(found)
    assert all(value > 0 for value in found.values())


def test_tables_and_curves_hold_every_point(scaling, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(scaling, 'save_figure', lambda figure, path: drawn.append(figure))
    monkeypatch.setattr(
        scaling,
        'measure_alone',
        lambda axis, value, args: {
            'imports_mb': 100.0,
            'predict_s': 0.001 * value,
            'predict_mb': 100 + 0.01 * value**2,
        },
    )
    page, out = tmp_path / 'page.md', tmp_path / 'scaling.json'
    page.write_text('above\n<!-- scaling.py begin -->\n<!-- scaling.py end -->\nbelow\n')
    options = ['--most', '300', '--out', out, '--docs', page, '--images', tmp_path]
    scaling.main([*map(str, options), '--only', 'proposals', 'classes'])
    curves = json.loads(out.read_text())['curves']
    assert {axis: [*points] for axis, points in curves.items()} == {
        'proposals': ['250'],
        'classes': ['3', '20', '80', '150', '300'],
    }
    text = page.read_text()
    assert '| grows with | n^1.00 | n^2.00 |' in text
    assert '| grows with | - | - |' in text
    assert '| 300 | 0.3 | 1000 |' in text
    [figure] = drawn
    assert len(figure.axes) == 4
    for axes in figure.axes:
        assert axes.get_ylim()[0] == 0
        assert axes.get_ylim()[1] >= max(line.get_ydata().max() for line in axes.lines)
