import multiprocessing
import os
import signal
import time

import cv2
import numpy as np
import pytest

from mmlabelpenet.proposals import (
    Job,
    Outcome,
    read_proposals,
    run_job,
    run_jobs,
    summarize_outcomes,
)
from mmlabelpenet.proposals import jobs as jobs_module
from mmlabelpenet.utils import UserError

FAST = {'quality': 'fast', 'max_num': None}


@pytest.fixture
def jobs(tmp_path):
    rng = np.random.default_rng(0)
    made = []
    for index in range(3):
        img = np.kron(rng.integers(0, 255, (3, 4, 3)), np.ones((20, 20, 1))).astype(np.uint8)
        cv2.imwrite(str(tmp_path / f'{index}.png'), img)
        made.append(Job(str(tmp_path / f'{index}.png'), tmp_path / 'out' / f'{index}.npz'))
    return made


def test_number_of_processes_does_not_change_the_files(jobs):
    run_jobs(jobs, FAST, workers=1)
    alone = [job.out.read_bytes() for job in jobs]
    for job in jobs:
        job.out.unlink()
    run_jobs(jobs[::-1], FAST, workers=2)
    assert [job.out.read_bytes() for job in jobs] == alone


def test_finished_images_are_skipped_and_damaged_files_replaced(jobs):
    assert [outcome.made for outcome in run_jobs(jobs[:2], FAST)] == [True, True]
    whole = jobs[1].out.read_bytes()
    jobs[1].out.write_bytes(whole[:50])
    assert [outcome.made for outcome in run_jobs(jobs, FAST)] == [False, True, True]
    assert jobs[1].out.read_bytes() == whole


def test_other_settings_make_other_files(jobs):
    run_job(jobs[0], FAST)
    outcome = run_job(jobs[0], {**FAST, 'max_num': 2})
    assert outcome.made
    assert outcome.num_boxes == len(read_proposals(jobs[0].out)) == 2


def test_a_replaced_image_of_the_same_size_is_searched_again(jobs):
    run_job(jobs[0], FAST)
    cv2.imwrite(jobs[0].img_path, np.full((60, 80, 3), 90, np.uint8))
    assert run_job(jobs[0], FAST).made
    assert len(read_proposals(jobs[0].out)) == 1


def test_overlaps_are_measured_if_ground_truth_is_known(jobs):
    jobs[0].gt_bboxes = np.array([[0, 0, 80, 60]])
    np.testing.assert_allclose(run_job(jobs[0], FAST).overlaps, [1])
    assert run_job(jobs[1], FAST).overlaps is None


@pytest.mark.parametrize('content', [b'', b'no photo'])
def test_a_damaged_image_is_named(jobs, content):
    with open(jobs[1].img_path, 'wb') as file:
        file.write(content)
    with pytest.raises(UserError, match=r'1\.png is damaged'):
        run_jobs(jobs, FAST)
    assert not jobs[1].out.exists()


def test_a_missing_image_is_named(jobs, tmp_path):
    with pytest.raises(UserError, match=r'gone\.jpg cannot be read'):
        run_job(Job(str(tmp_path / 'gone.jpg'), jobs[0].out), FAST)


def test_summary_has_the_time_of_new_images_only():
    outcomes = [
        Outcome(10, 2.0, True, np.array([0.6])),
        Outcome(30, 0.0, False, np.array([0.4])),
    ]
    text = summarize_outcomes(outcomes)
    assert '1 photos done, 1 existed already' in text
    assert '20 on average, 10 to 30' in text
    assert 'process: 2.00' in text
    assert 'recall_50 0.500' in text


def die(job, settings):
    """Stands for a process that the system kills for want of memory."""
    if job.img_path.endswith('3.png'):
        os.kill(os.getpid(), signal.SIGKILL)
    return run_job(job, settings)


def test_a_killed_process_ends_the_run_and_keeps_what_is_finished(tmp_path, monkeypatch):
    many = []
    for number in range(6):
        path = str(tmp_path / f'{number}.png')
        cv2.imwrite(path, np.full((20, 30, 3), number, np.uint8))
        many.append(Job(path, tmp_path / f'{number}.npz'))
    with monkeypatch.context() as patch:
        patch.setattr(jobs_module, 'run_job', die)
        with pytest.raises(UserError, match=r'killed at photo \d of 6 .* fewer --workers'):
            run_jobs(many, FAST, workers=2)
    # one that was just started needs a moment to end
    deadline = time.monotonic() + 60
    while multiprocessing.active_children() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not multiprocessing.active_children()
    kept = sum(job.out.exists() for job in many)
    assert sum(not one.made for one in run_jobs(many, FAST)) == kept


def test_changed_bytes_are_noticed_and_made_anew(jobs):
    run_job(jobs[0], FAST)
    whole = jobs[0].out.read_bytes()
    for place in range(60, len(whole), 97):
        damaged = bytearray(whole)
        damaged[place] ^= 255
        jobs[0].out.write_bytes(damaged)
        run_job(jobs[0], FAST)
        assert read_proposals(jobs[0].out).bboxes.shape[1] == 4
    jobs[0].out.write_bytes(whole[:-30])
    assert run_job(jobs[0], FAST).made
    assert jobs[0].out.read_bytes() == whole
