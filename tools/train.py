"""Train a model by its config.

Example:
    python tools/train.py configs/label_penet/label-penet_effnet-lite0_shapes.py --seed 0
"""

import argparse
from collections.abc import Sequence

from mmlabelpenet.apis import (
    add_trust_option,
    add_verbose_option,
    config_parser,
    load_config,
    run_command,
    train_detector,
)
from mmlabelpenet.utils import number, trust_files


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = config_parser('Train a model by its config')
    parser.add_argument(
        '--amp', action='store_true', help='mixed precision: float16 with CUDA, else bfloat16'
    )
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help='scale the learning rate with the batch size',
    )
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        help='resume from this checkpoint; without a path from the latest in the work folder',
    )
    parser.add_argument(
        '--seed', type=number(int, 0, 2**32 - 1), help='seed of the random numbers'
    )
    parser.add_argument(
        '--corrections',
        help='corrected labels of some photos, as COCO JSON or JSON of Label Studio: truth for '
        'these photos, while others have their tags',
    )
    add_trust_option(parser)
    add_verbose_option(parser)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Train."""
    args = parse_args(argv)
    with trust_files(args.trust_checkpoint):
        train_detector(
            load_config(args),
            amp=args.amp,
            auto_scale_lr=args.auto_scale_lr,
            resume=args.resume,
            seed=args.seed,
            corrections=args.corrections,
        )


if __name__ == '__main__':
    run_command(main)
