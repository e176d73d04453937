import json

import pytest
from mmengine.config import Config
from test_end_to_end import run_tool


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
        'labelled anew',
    ]
    assert {(one['phase'], one['images']) for one in entries} == {('random', 4)}
    table = (tmp_path / 'label_curve.md').read_text()
    assert table in capsys.readouterr().out
    assert (tmp_path / 'label_curve.png').is_file()


@pytest.mark.parametrize('masks', [True, False])
def test_a_data_set_in_cocos_form_gives_the_same_figures(
    benchmark_module, at_shapes, tmp_path, masks
):
    run_tool('dataset_converters/export_ground_truth', 'small.py', '--out', tmp_path)
    path = tmp_path / 'annotations/instances_train.json'
    content = json.loads(path.read_text())
    for one in content['annotations'] if not masks else ():
        del one['segmentation']
    path.write_text(json.dumps(content))
    cfg = Config.fromfile('small.py')
    cfg.corloc_dataloader.dataset.update(
        type='COCOInstanceDataset',
        data_root=str(at_shapes / 'data/shapes/Shapes'),
        ann_file=str(path),
        data_prefix=dict(img='JPEGImages'),
    )
    for split in ('train', 'val'):  # proposals lie by the path below the folder of the data set
        for file in (at_shapes / 'data/proposals/Shapes').glob(f'{split}_*'):
            copy = file.parent / 'JPEGImages' / file.name
            copy.parent.mkdir(exist_ok=True)
            copy.write_bytes(file.read_bytes())
    cfg.dump(str(tmp_path / 'coco.py'))
    script = benchmark_module('label_curve')
    figures = {}
    for name, config in (('voc', 'small.py'), ('coco', str(tmp_path / 'coco.py'))):
        script.main([config, 'a.pth', '--images', '4', '--out', str(tmp_path / name)])
        figures[name] = json.loads((tmp_path / name / 'label_curve.json').read_text())
    assert len(figures['coco']) == 8
    for voc, coco in zip(figures['voc'], figures['coco']):
        if not masks:
            assert coco.pop('pseudo_mask_iou') is None
            del voc['pseudo_mask_iou']
        assert voc == coco
