"""Print what one photo of a large data set costs: memory of lists, labels, proposals, time.

Example:
    python benchmark/per_photo.py data/photos --num 20000
"""

import argparse
import json
import os
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from pycocotools.mask import encode
from trainings import REPOSITORY

from mmlabelpenet.apis import images_of, read_config, run_command
from mmlabelpenet.export import LabelledImage, write_coco
from mmlabelpenet.proposals import Job, proposal_path, run_jobs, selective_search

CONFIG = REPOSITORY / 'configs/label_penet/label-penet_effnet-lite0_tags.py'
# As in VOC 2012: instances of a photo; columns of one, with 580 bytes of run lengths.
INSTANCES, COLUMNS = 3, 163


def cost(action: Callable[[], object], num: int) -> dict[str, float]:
    """Measure processor time without, and memory with, the tracing of memory."""
    start = time.process_time()
    action()
    seconds = time.process_time() - start
    tracemalloc.start()
    action()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return {'milliseconds': 1000 * seconds / num, 'peak_kilobytes': peak / 1000 / num}


def cost_of_proposals(photos: Sequence[Path], out: Path) -> dict[str, float]:
    """Search some photos, then run once more on the finished files."""
    jobs = [Job(str(photo), proposal_path(out, 'photos', photo.stem)) for photo in photos]
    settings = dict(quality='fast', max_num=None, max_side=500)
    seconds = []
    for _ in range(2):
        start = time.process_time()
        outcomes = run_jobs(jobs, settings)
        seconds.append((time.process_time() - start) / len(jobs))
    sizes = np.array([job.out.stat().st_size for job in jobs])
    return {
        'seconds': seconds[0],
        'milliseconds_if_finished': 1000 * seconds[1],
        'boxes': float(np.mean([outcome.num_boxes for outcome in outcomes])),
        'bytes': float(sizes.mean()),
        'bytes_in_blocks_of_4096': float((-(-sizes // 4096) * 4096).mean()),
        'bytes_of_the_photo': float(np.mean([photo.stat().st_size for photo in photos])),
    }


def cost_of_search(photos: Sequence[Path]) -> dict[str, float]:
    """Compare the fast search with OpenCV's own, photo by photo in turns, on one core."""
    cv2.setNumThreads(1)
    graph = cv2.ximgproc.segmentation.createGraphSegmentation(0.8, 150, 100)
    seconds, different = np.zeros(3), 0
    for photo in photos:
        img, ends, found = cv2.imread(str(photo)), [time.process_time()], []
        for own in (True, False):
            selective_search.ROUNDS_AS_OPENCV = own
            found.append(selective_search.search_regions(img))
            ends.append(time.process_time())
        graph.processImage(img)
        seconds += np.diff([*ends, time.process_time()])
        different += not np.array_equal(*found)
    selective_search.ROUNDS_AS_OPENCV = True
    own, opencv, one = (seconds / len(photos)).tolist()
    six = {'six_graph_segmentations': 6 * one, 'photos_with_other_boxes': different}
    return {'seconds': own, 'opencv_seconds': opencv, 'speedup': opencv / own, **six}


def labelled(path: str) -> LabelledImage:
    """Make the record of an export as large as that of a photo of VOC."""
    rng = np.random.default_rng(0)
    mask = np.zeros((375, 500), dtype=np.uint8, order='F')
    for column, (top, bottom) in enumerate(rng.integers((50, 200), (100, 300), (COLUMNS, 2))):
        mask[top:bottom, column] = 1
    masks = [encode(mask) for _ in range(INSTANCES)]
    boxes, scores = rng.random((INSTANCES, 4)) * 300, rng.random(INSTANCES)
    record = (Path(path).stem, path, 'photos', (375, 500), np.arange(INSTANCES), scores, boxes)
    return LabelledImage(*record, masks, [0, 1])


def cost_of_lists(photos: Sequence[Path], num: int, root: Path) -> dict[str, dict[str, float]]:
    """List the photos of a tag file, hold their records, and write an export of them."""
    rows = ['photo,tags', *(f'{number:08d}.jpg,dog;person' for number in range(num))]
    (root / 'tags.csv').write_text('\n'.join(rows))
    for number in range(num):
        (root / f'{number:08d}.jpg').symlink_to(photos[number % len(photos)].resolve())
    os.environ |= {'TAG_DATA_ROOT': str(root), 'TAG_FILE': str(root / 'tags.csv')}
    cfg = read_config(str(CONFIG), whole=False)
    paths = [info['img_path'] for info in images_of(cfg, ['train'])]
    records = [labelled(path) for path in paths]
    return {
        'list': cost(lambda: images_of(cfg, ['train']), num),
        'records': cost(lambda: [labelled(path) for path in paths], num),
        'export': cost(lambda: write_coco(records, ('dog', 'person', 'cat'), root / 'out'), num),
        'file': {'kilobytes': next(root.rglob('instances_*.json')).stat().st_size / 1000 / num},
    }


def main(argv: Sequence[str] | None = None) -> None:
    """Measure and print.

    Args:
        argv: Arguments of the command line without the program; None reads ``sys.argv``.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('photos', type=Path, help='folder of photos (.jpg)')
    parser.add_argument('--num', type=int, default=20000, help='photos to list and export')
    parser.add_argument('--searched', type=int, default=20, help='photos to make proposals of')
    args = parser.parse_args(argv)
    photos = sorted(args.photos.glob('*.jpg'))
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / 'many').mkdir()
        figures: dict[str, dict[str, float]] = cost_of_lists(
            photos, args.num, Path(folder, 'many')
        )
        chosen = photos[:: max(len(photos) // args.searched, 1)]
        figures['search'] = cost_of_search(chosen)
        figures['proposals'] = cost_of_proposals(chosen, Path(folder))
    print(json.dumps(figures, indent=1))


if __name__ == '__main__':
    run_command(main)
