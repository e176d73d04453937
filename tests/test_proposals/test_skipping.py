import image_kinds
import pytest

from mmlabelpenet.proposals import Job, run_jobs, summarize_outcomes
from mmlabelpenet.utils import UserError

FAST = {'quality': 'fast', 'max_num': None}


@pytest.mark.parametrize('workers', [1, 2])
def test_unreadable_images_are_skipped_by_name_and_only_on_request(tmp_path, workers):
    good = image_kinds.make(tmp_path, 'colour.png')
    bad = image_kinds.make_truncated(tmp_path, 'cut.jpg')
    jobs = [Job(str(path), tmp_path / f'{path.stem}.npz') for path in (good, bad)]
    if workers == 1:
        with pytest.raises(UserError, match=r'cut\.jpg is damaged'):
            run_jobs(jobs, FAST, workers)
    outcomes = run_jobs(jobs, FAST, workers, skip_unreadable=True)
    assert [bool(outcome.error) for outcome in outcomes] == [False, True]
    said = summarize_outcomes(outcomes)
    assert 'cut.jpg is damaged' in said
    assert ', 1 skipped\n' in said
    assert (tmp_path / 'colour.npz').exists()
    assert not (tmp_path / 'cut.npz').exists()
    assert summarize_outcomes(outcomes[1:]).endswith('no photo done, 1 skipped')
