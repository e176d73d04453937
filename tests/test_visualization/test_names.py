"""Pictures of images of one name do not overwrite each other."""

from mmengine.structures import BaseDataElement

from mmlabelpenet.utils import UniqueNames, image_name
from mmlabelpenet.visualization import CascadeVisualizationHook

from .test_hook import make_runner, outputs  # noqa: F401


def test_results_are_named_by_the_path_in_the_data_set():
    known = {'img_id': 7, 'img_path': '/x/photos/a/p.tar.jpg'}
    assert image_name({**known, 'file_name': 'a/p.tar.jpg'}) == 'a/p.tar'
    assert image_name(known) == 'p.tar'
    assert image_name({'img_id': '2007_000027', 'img_path': '/x/y.jpg'}) == '2007_000027'
    assert image_name({'img_id': '../../etc/x'}) == 'etc/x'
    sample = BaseDataElement(metainfo={**known, 'file_name': 'b\\p.jpg'})
    assert image_name(sample) == 'b/p'


def test_names_are_unique():
    names = UniqueNames()
    assert names('p', 'a/p.jpg') == 'p'
    assert names('p', 'a/p.png') == 'p_2'
    assert names('p_2', 'a/p_2.jpg') == 'p_2_2'
    assert names('p', 'b/p.jpg', 'VOC') == 'VOC/p'
    assert names('p', 'c/p.jpg', 'VOC') == 'VOC/p_2'
    assert [names('p', 'a/p.jpg'), names('p', 'a/p.png')] == ['p', 'p_2']


def test_the_hook_files_by_path_or_by_number(tmp_path, outputs):  # noqa: F811
    hook = CascadeVisualizationHook(draw=True, out_dir=str(tmp_path / 'out'))
    first, second = outputs
    for sample, name in ((first, 'a/p.jpg'), (second, 'b/p.jpg')):
        sample.set_metainfo({'file_name': name})
    runner = make_runner(None)
    hook.after_test_iter(runner, 0, {}, outputs)
    for sample in outputs:
        sample.set_metainfo({'file_name': 'c/p.jpg'})
    hook.after_test_iter(runner, 1, {}, outputs)
    folder = tmp_path / 'out'
    found = sorted(path.relative_to(folder).as_posix() for path in folder.rglob('*.png'))
    assert found == ['a/p.png', 'b/p.png', 'c/p.png', 'c/p_2.png']


def test_the_hook_needs_no_palette(tmp_path, outputs):  # noqa: F811
    hook = CascadeVisualizationHook(draw=True, out_dir=str(tmp_path / 'out'))
    for palette in (None, 'random', []):
        runner = make_runner(None)
        runner.test_dataloader.dataset.metainfo['palette'] = palette
        hook.after_test_iter(runner, 0, {}, outputs)
    del runner.test_dataloader.dataset.metainfo['palette']
    hook.after_test_iter(runner, 0, {}, outputs)
    assert len(list((tmp_path / 'out').rglob('*.png'))) == len(outputs)
