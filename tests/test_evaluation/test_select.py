import pytest
from mmengine.config import Config

from mmlabelpenet.evaluation import evaluation_sets, select_evaluation
from mmlabelpenet.utils import UserError


def config(**fields):
    base = {
        'test_dataloader': {'photos': 'val'},
        'test_evaluator': [
            {'type': 'VOCDetectionMetric', 'eval_mode': '11points'},
            {'type': 'VOCInstanceMetric'},
        ],
    }
    return Config({**base, **fields})


def test_the_config_s_settings_of_a_metric_are_kept():
    cfg = config()
    select_evaluation(cfg, ['bbox', 'image'])
    assert cfg.test_evaluator == [
        {'type': 'VOCDetectionMetric', 'eval_mode': '11points'},
        {'type': 'ImageClassificationMetric'},
    ]
    assert cfg.test_dataloader == {'photos': 'val'}


def test_pseudo_masks_are_measured_on_the_training_images_beside_corloc():
    cfg = config(corloc_dataloader={'photos': 'train'})
    select_evaluation(cfg, ['pseudo', 'corloc'])
    assert cfg.test_dataloader == {'photos': 'train'}
    assert cfg.test_evaluator == [{'type': 'PseudoMaskMetric'}, {'type': 'CorLocMetric'}]
    assert cfg.test_cfg['further'] == []


def test_corloc_is_measured_on_the_training_images():
    cfg = config(corloc_dataloader={'photos': 'train'})
    select_evaluation(cfg, ['corloc', 'bbox'])
    assert [metric.type for metric in cfg.test_evaluator] == ['VOCDetectionMetric']
    (further,) = cfg.test_cfg.further
    assert further.dataloader == {'photos': 'train'}
    assert further.evaluator == [{'type': 'CorLocMetric'}]


def test_corloc_alone_leaves_the_test_images_out():
    cfg = config(corloc_dataloader={'photos': 'train'}, corloc_evaluator={'type': 'CorLocMetric'})
    select_evaluation(cfg, ['corloc'])
    assert cfg.test_dataloader == {'photos': 'train'}
    assert cfg.test_evaluator == [{'type': 'CorLocMetric'}]
    assert cfg.test_cfg.further == []


def test_corloc_falls_back_to_the_test_images():
    cfg = config()
    select_evaluation(cfg, ['corloc'])
    assert cfg.test_dataloader == {'photos': 'val'}


def test_all_is_measured_on_the_images_that_split_names():
    cfg = config(corloc_dataloader={'photos': 'train'})
    for split, images in (('train', 'train'), ('test', 'val')):
        (part,) = evaluation_sets(cfg, ['bbox', 'corloc'], split)
        assert part['dataloader'] == {'photos': images}
        assert [metric['type'] for metric in part['evaluator']] == [
            'VOCDetectionMetric',
            'CorLocMetric',
        ]


def test_without_names_the_config_says_what_is_measured():
    cfg = config(corloc_dataloader={'photos': 'train'})
    for split, images in ((None, 'val'), ('test', 'val'), ('train', 'train')):
        (part,) = evaluation_sets(cfg, split=split)
        assert part == {'dataloader': {'photos': images}, 'evaluator': cfg.test_evaluator}


def test_training_images_must_be_in_the_config():
    with pytest.raises(UserError, match='needs a corloc_dataloader'):
        evaluation_sets(config(), ['bbox'], 'train')


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(UserError, match="'boxes'; it knows bbox, segm, corloc, semseg, proposal"):
        select_evaluation(config(), ['bbox', 'boxes'])
