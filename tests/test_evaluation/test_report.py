import json

import numpy as np

from mmlabelpenet.evaluation import ClassTable, VOCDetectionMetric, write_markdown, write_report

from .samples import box_sample, run

CAT, FAR = (0, 0, 9, 9), (50, 50, 59, 59)
TABLE = ClassTable(
    'boxes',
    ('cat', 'dog', 'owl'),
    {'objects': np.array([3, 1, 0]), 'AP@0.5': np.array([0.5, 0.125, np.nan])},
)


def test_counts_are_summed_and_fractions_averaged_over_classes_that_occur():
    assert TABLE.summary('objects') == 4
    assert TABLE.summary('AP@0.5') == 0.3125


def test_the_terminal_gets_a_line_per_class():
    lines = [line.replace('|', '').split() for line in TABLE.to_text().splitlines()]
    assert ['cat', '3', '0.500'] in lines
    assert ['owl', '0', '-'] in lines
    assert ['all', '4', '0.312'] in lines


def test_markdown_has_a_column_per_class_in_percent(tmp_path):
    write_markdown({'bbox_mAP_50': 0.3125}, [TABLE], tmp_path / 'tables.md')
    assert (tmp_path / 'tables.md').read_text().splitlines() == [
        '| boxes | cat | dog | owl | all |',
        '|---|---|---|---|---|',
        '| objects | 3 | 1 | 0 | 4 |',
        '| AP@0.5 | 50.0 | 12.5 | - | 31.2 |',
        '',
        '| figure | value |',
        '|---|---|',
        '| bbox_mAP_50 | 0.3125 |',
    ]


def test_json_holds_the_source_and_the_figures_of_every_class(tmp_path):
    figures = {'a': 0.5, 'b': float('nan')}
    write_report(figures, [TABLE], tmp_path / 'figures.json', {'checkpoint': 'epoch_1.pth'})
    assert json.loads((tmp_path / 'figures.json').read_text()) == {
        'checkpoint': 'epoch_1.pth',
        'figures': {'a': 0.5, 'b': None},
        'classes': {
            'boxes': {
                'objects': {'cat': 3, 'dog': 1, 'owl': 0},
                'AP@0.5': {'cat': 0.5, 'dog': 0.125, 'owl': None},
            }
        },
    }


def test_a_metric_keeps_the_tables_of_its_last_evaluation():
    metric = VOCDetectionMetric(iou_thrs=[0.5], prefix='again')
    run(metric, [box_sample([(0, 0.9, CAT)], [(0, FAR)])])
    run(metric, [box_sample([(0, 0.9, CAT)], [(0, CAT)])])
    (table,) = metric.tables
    assert table.title == 'again: boxes, area'
    assert table.columns['AP@0.5'][0] == 1
