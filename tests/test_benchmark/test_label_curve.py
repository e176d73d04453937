import json


def test_the_command_measures_a_checkpoint(benchmark_module, at_shapes, tmp_path, capsys):
    script = benchmark_module('label_curve')
    args = ['small.py', 'a.pth', '--images', '4', '--name', 'random', '--out', str(tmp_path)]
    script.main(args)
    entries = json.loads((tmp_path / 'label_curve.json').read_text())
    assert [one['labels'] for one in entries] == [
        'attention',
        'calibration',
        'detection',
        'refinement',
        'passed on by refinement',
        'segmentation',
        'validation',
    ]
    assert {(one['phase'], one['images']) for one in entries} == {('random', 4)}
    table = (tmp_path / 'label_curve.md').read_text()
    assert table in capsys.readouterr().out
    assert (tmp_path / 'label_curve.png').is_file()
