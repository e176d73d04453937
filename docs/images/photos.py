"""Paint the picture of real photos on the first page: what a trained model finds in them.

The photos come with scikit-image, and neither is under copyright: Eileen Collins by NASA (public
domain), Chelsea by Stefan van der Walt (CC0). The model has seen neither.

Example:
    python docs/images/photos.py CONFIG CHECKPOINT
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from skimage import data

from mmlabelpenet.apis import LabelPEnetInferencer, run_command
from mmlabelpenet.utils import atomic_path

PHOTOS = ('astronaut', 'chelsea')
HEIGHT, GAP = 300, 8


def side_by_side(pictures: Sequence[np.ndarray]) -> Image.Image:
    """Scale pictures [height, width, 3] in RGB to one height and put them in a row."""
    images = [Image.fromarray(one) for one in pictures]
    scaled = [one.resize((round(one.width * HEIGHT / one.height), HEIGHT)) for one in images]
    row = Image.new('RGB', (sum(one.width + GAP for one in scaled) - GAP, HEIGHT), 'white')
    left = 0
    for one in scaled:
        row.paste(one, (left, 0))
        left += one.width + GAP
    return row


def main(argv: Sequence[str] | None = None) -> None:
    """Write the picture: each photo, and beside it what the model finds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config of the model')
    parser.add_argument('checkpoint', help='its weights')
    parser.add_argument('--proposals', default='search', choices=('search', 'learned'))
    parser.add_argument('--pred-score-thr', type=float, default=0.4, help='least score painted')
    parser.add_argument('--out', type=Path, default=Path(__file__).with_name('photos.png'))
    args = parser.parse_args(argv)
    photos = [getattr(data, name)() for name in PHOTOS]
    inferencer = LabelPEnetInferencer(args.config, args.checkpoint, proposals=args.proposals)
    found = inferencer(
        [np.ascontiguousarray(one[..., ::-1]) for one in photos],
        return_vis=True,
        pred_score_thr=args.pred_score_thr,
    )
    row = side_by_side([one for pair in zip(photos, found['visualization']) for one in pair])
    with atomic_path(args.out) as temporary:
        row.quantize(256).save(temporary, format='PNG', optimize=True)


if __name__ == '__main__':
    run_command(main)
