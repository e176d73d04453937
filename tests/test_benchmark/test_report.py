import pytest

from mmlabelpenet.utils import UserError

GROUPS = {'ladder': ['A', 'B'], 'bound': ['Mask-RCNN']}
ERRORS = dict(
    error_found=0.5, error_part=0.2, error_large=0.1, error_several=0.1, error_wrong_class=0.0,
    error_missed=0.1, error_duplicate=0.3,
)  # fmt: skip


def result(row, seed, **metrics):
    return dict(row=row, config='c.py', seed=seed, commit='abc', minutes=seed + 1.0, peak_gb=1.5,
                metrics=metrics)  # fmt: skip


RESULTS = [
    result('B', 0, bbox_mAP_50=0.4, **ERRORS),
    result('B', 1, bbox_mAP_50=0.2, **ERRORS),
    result('B', 2, bbox_mAP_50=0.3, **ERRORS),
    result('other', 0, bbox_mAP_50=None),
    result('A', 0, bbox_mAP_50=0.1),
]


def test_a_result_takes_the_place_of_one_of_its_row_and_seed(report, tmp_path):
    path = tmp_path / 'results.json'
    assert report.read_results(path) == []
    for result_ in (RESULTS[0], RESULTS[1], dict(RESULTS[0], commit='later')):
        results = report.add_result(result_, path)
    assert report.read_results(path) == results == [RESULTS[1], dict(RESULTS[0], commit='later')]
    assert len(path.read_text().splitlines()) == 2 + len(results)


@pytest.fixture
def report(benchmark_module):
    return benchmark_module('report')


def test_a_summary_is_the_median_of_the_seeds_with_their_range(report):
    assert report.summary([0.4, 0.2, 0.3]) == '0.300 (0.200-0.400)'
    assert report.summary([0.25]) == '0.250'
    assert report.summary([]) == '-'


def test_rows_are_in_the_order_of_the_groups(report):
    # A table pads its cells.
    lines = [' '.join(line.split()) for line in report.make_table(RESULTS, GROUPS).splitlines()]
    assert [line.split(' | ')[0] for line in lines[2:]] == ['| A', '| B', '| other']
    assert '| 0.300 (0.200-0.400) |' in lines[3]
    assert '| 2.0 (1.0-3.0) |' in lines[3]
    assert '0.' not in lines[4].split(' | ')[4]


def test_weak_over_full_supervision_is_relative_to_the_better_bound(report):
    full = [result('Label-PEnet', 0, bbox_mAP_50=0.4), result('Mask-RCNN', 0, bbox_mAP_50=0.5)]
    assert report.make_ratios(full).endswith('boxes 0.80.')
    full.append(result('Fast-RCNN', 0, bbox_mAP_50=0.8))
    assert report.make_ratios(full).endswith('boxes 0.50.')
    assert report.make_ratios(RESULTS) == ''


def test_a_gain_is_apart_where_the_ranges_of_seeds_do_not_overlap(report):
    results = [result('A', seed, bbox_mAP_50=0.1 + seed / 100) for seed in range(3)]
    results += [result('D', seed, bbox_mAP_50=0.2 + seed / 100) for seed in range(3)]
    results += [result('E', seed, bbox_mAP_50=0.2, corloc=0.3) for seed in range(2)]
    results += [result('H', 0, bbox_mAP_50=0.5)]
    lines = report.make_steps(results).splitlines()
    assert lines[2:] == [
        '- D over A: box AP@.5 +0.100 (apart, 3 and 3 seeds)',
        '- E over D: box AP@.5 -0.010 (within, 2 and 3 seeds)',
        '- H over E: box AP@.5 +0.300 (1 and 2 seeds)',
    ]
    assert report.make_steps(RESULTS) == ''


def test_the_headline_compares_with_the_best_baseline_and_the_better_bound(report):
    groups = {'baselines': ['OICR', 'PCL', 'MIST'], 'bound': ['Mask-RCNN']}
    masks = {'no_void/segm_mAP_50': 0.3}
    results = [
        result('Label-PEnet', 0, bbox_mAP_50=0.4, **masks),
        result('PCL', 0, bbox_mAP_50=0.1),
        result('OICR', 0, bbox_mAP_50=0.2),
        result('Mask-RCNN', 0, bbox_mAP_50=0.5, **{'no_void/segm_mAP_50': 0.6}),
    ]
    assert report.make_headline(results[:3], groups) == ''
    lines = [
        [cell.strip() for cell in line.split('|')[1:-1]]
        for line in report.make_headline(results, groups).splitlines()
    ]
    assert lines[2:] == [
        ['Label-PEnet', '0.400', '0.300', '1', '1'],
        ['OICR (best baseline)', '0.200', '-', '1', '1'],
        ['Mask-RCNN (bound)', '0.500', '0.600', '1', '1'],
        ['Label-PEnet / bound', '0.80', '0.50', '', ''],
    ]


def test_sentences_say_what_a_part_moves(report):
    results = [result('D', 0, bbox_mAP_50=0.2), result('E', 0, bbox_mAP_50=0.3)]
    assert report.make_sentences(results) == (
        '- Joint training moves the medians (E over D): box AP@.5 +0.100 (1 and 1 seeds).'
    )
    assert len(report.SENTENCES) == 7


def test_a_report_fills_three_pages(report, tmp_path):
    pages = [tmp_path / name for name in ('page.md', 'provenance.md', 'README.md')]
    for page in pages:
        page.write_text('before\n<!-- voc12_mini.py begin -->\n<!-- voc12_mini.py end -->\nafter')
    report.write_report(RESULTS, GROUPS, pages[0], tmp_path, pages[2])
    texts = [page.read_text() for page in pages]
    assert all(text.startswith('before') and text.endswith('after') for text in texts)
    headings = [text.split('\n')[3].count('|') - 1 for text in texts[:2]]
    assert headings == [6, 17]


def test_a_document_without_markers_is_refused(report, tmp_path):
    page = tmp_path / 'page.md'
    page.write_text('no place for a table')
    with pytest.raises(UserError, match='needs the lines'):
        report.write_report(RESULTS, GROUPS, page, tmp_path, page)
    assert (tmp_path / 'voc12_mini_ladder.png').stat().st_size > 1000
    with pytest.raises(UserError, match='Nothing is measured'):
        report.write_report([], GROUPS, page, tmp_path, page)
