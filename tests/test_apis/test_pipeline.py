import pytest
from mmengine.config import Config

from mmlabelpenet.apis.pipeline import (
    choose_proposals,
    choose_stage,
    plain_datasets,
    without_annotations,
)
from mmlabelpenet.utils import UserError


def cascade(*names, **test_cfg):
    return Config(dict(model=dict(cascade={name: {} for name in names}, test_cfg=test_cfg)))


def test_a_stage_is_chosen_and_the_rest_of_the_settings_kept():
    cfg = cascade('classification', 'detection', other=1)
    assert choose_stage(cfg, 'detection') == 'detection'
    assert cfg.model.test_cfg == dict(stage='detection', other=1)
    assert choose_stage(cfg, 'calibration') == 'calibration'


def test_without_a_choice_it_is_what_the_config_says_or_the_last_one():
    said = cascade('classification', 'detection', stage='classification')
    assert choose_stage(said, None) == 'classification'
    assert choose_stage(cascade('classification', 'detection'), None) == 'detection'
    assert choose_stage(Config(dict(model=dict(type='MaskRCNN'))), None) is None


def test_an_unknown_stage_is_reported_with_the_known_ones():
    with pytest.raises(UserError, match=r"no stage 'masks'; it has classification, attention, c"):
        choose_stage(cascade('classification'), 'masks')
    with pytest.raises(UserError, match='a model without a cascade has none'):
        choose_stage(Config(dict(model=dict(type='MaskRCNN'))), 'detection')


def test_wrappers_are_taken_off():
    one, other = dict(type='A'), dict(type='B')
    wrapped = dict(type='Repeat', dataset=dict(type='Concat', datasets=[one, other]))
    assert plain_datasets(wrapped) == [one, other]
    assert plain_datasets(one) == [one]


def test_only_transforms_that_load_annotations_are_left_out():
    names = ['mmlabelpenet.LoadImageFromFile', 'LoadRegionProposals', 'Resize', 'LoadAnnotations']
    names += ['LoadInstanceMasks', 'PackWeakInputs']
    kept = without_annotations([dict(type=name) for name in names])
    assert [one['type'] for one in kept] == [*names[:3], names[5]]


def loaders(*steps, learned=True):
    """A config whose loaders have these steps."""
    loader = dict(dataset=dict(type='A', pipeline=[dict(step) for step in steps]))
    names = ('train', 'val', 'test')
    parts = {f'{name}_dataloader': loader for name in names}
    model = dict(proposals=dict(type='LearnedProposals') if learned else None)
    return Config(dict(parts, model=model, tta_pipeline=[dict(step) for step in steps]))


STORED = dict(type='LoadRegionProposals', proposal_root='folder', max_num=9)
LOADED = dict(type='LoadImageFromFile')


@pytest.mark.parametrize('source', ['learned', 'search'])
def test_proposals_of_tests_come_from_the_chosen_source_and_back(source):
    cfg = loaders(LOADED, STORED)
    choose_proposals(cfg, None)
    assert cfg.test_dataloader.dataset.pipeline[1] == STORED
    choose_proposals(cfg, source)
    chosen = dict(STORED, type='ProvideRegionProposals', source=source)
    for pipeline in (
        cfg.test_dataloader.dataset.pipeline,
        cfg.val_dataloader.dataset.pipeline,
        cfg.tta_pipeline,
    ):
        assert pipeline == [LOADED, chosen]
    assert cfg.train_dataloader.dataset.pipeline == [LOADED, STORED]
    choose_proposals(cfg, 'stored')
    assert cfg.test_dataloader.dataset.pipeline == [LOADED, STORED]


def test_proposals_that_cannot_be_had_are_reported():
    with pytest.raises(UserError, match="no 'made' proposals: choose learned, stored, search"):
        choose_proposals(loaders(STORED), 'made')
    with pytest.raises(UserError, match='This model has learned no proposals'):
        choose_proposals(loaders(STORED, learned=False), 'learned')
    with pytest.raises(UserError, match='has no step that loads proposals'):
        choose_proposals(loaders(LOADED), 'search')
    homeless = dict(type='ProvideRegionProposals', source='learned')
    with pytest.raises(UserError, match='names no folder of stored proposals: set proposal_root'):
        choose_proposals(loaders(homeless), 'stored')


def test_the_step_that_loads_proposals_is_found_by_its_class():
    cfg = loaders(dict(type=f'mmlabelpenet.{STORED["type"]}', proposal_root='folder'))
    choose_proposals(cfg, 'search')
    [step] = cfg.test_dataloader.dataset.pipeline
    assert step == dict(
        type='ProvideRegionProposals', source='search', proposal_root='folder', max_num=None
    )
