import yaml

ROWS = (
    ('Label-PEnet', 'label_penet/full', 0, {'bbox_mAP_50': 0.4, 'corloc': 0.6}),
    ('Label-PEnet', 'label_penet/full', 1, {'bbox_mAP_50': 0.5, 'corloc': 0.7}),
    ('Label-PEnet', 'label_penet/full', 2, {'bbox_mAP_50': 0.52, 'corloc': 0.5}),
    ('OICR', 'oicr/a', 0, {'bbox_mAP_50': 0.1, 'no_void/segm_mAP_50': 0.0512}),
    ('A', 'label_penet/ablations/a', 0, {'bbox_mAP_50': 0.2}),
)
RESULTS = [
    dict(row=row, config=f'configs/{config}.py', seed=seed, commit='abc', metrics=metrics)
    for row, config, seed, metrics in ROWS
]


def test_a_metafile_has_the_medians_of_its_configs(benchmark_module):
    files = benchmark_module('metafiles').metafiles(RESULTS)
    first, second = 'configs/label_penet/metafile.yml', 'configs/oicr/metafile.yml'
    assert [*files] == [first, second, 'model-index.yml']
    assert files['model-index.yml'] == {'Import': [first, second]}
    ablation, full = files[first]['Models']
    assert (ablation['Name'], full['Name'], full['Metadata']['Seeds']) == ('a', 'full', 3)
    (boxes,) = full['Results']
    assert boxes['Metrics'] == {'box AP@50': 50.0, 'CorLoc': 60.0}
    boxes, masks = files[second]['Models'][0]['Results']
    assert masks['Task'] == 'Instance Segmentation'
    assert masks['Metrics'] == {'mask AP@50 without void': 5.1}


def test_the_metafiles_are_those_of_the_results(benchmark_module):
    module = benchmark_module('metafiles')
    for path, content in module.metafiles(module.read_results(module.RESULTS)).items():
        written = yaml.safe_load((module.REPOSITORY / path).read_text())
        assert written == content, 'write it: python benchmark/metafiles.py'
