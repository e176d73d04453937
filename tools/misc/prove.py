"""Prove that what the set-up compiled or chose works, by using it.

Example:
    python tools/misc/prove.py operators cpu
"""

import argparse
import sys


def prove_operators(device: str) -> None:
    """Run RoIAlign and NMS of mmcv on cases known by hand.

    Importing alone proves little: operators built for another torch may import and then fail.

    Args:
        device: ``'cpu'`` or ``'cuda'``.

    Raises:
        RuntimeError: If a result is wrong.
    """
    import mmcv._ext  # noqa: F401
    import torch
    from mmcv.ops import nms, roi_align

    # A map whose value is its column: the mean in a box is the box's centre, less half a pixel.
    columns = torch.arange(8.0, device=device).expand(1, 1, 8, 8).contiguous()
    box = torch.tensor([[0, 2.0, 2, 6, 6]], device=device)
    mean = roi_align(columns, box, (1, 1), 1.0, 2, 'avg', True)
    if abs(mean.item() - 3.5) > 1e-5:
        raise RuntimeError(f'roi_align gives {mean.item()} where 3.5 is right')
    boxes = torch.tensor([[0.0, 0, 10, 10], [1, 1, 11, 11], [20, 20, 30, 30]], device=device)
    kept = nms(boxes, torch.tensor([0.9, 0.8, 0.7], device=device), 0.5)[1].tolist()
    if kept != [0, 2]:
        raise RuntimeError(f'nms keeps {kept} where [0, 2] is right')


def prove_opencv() -> None:
    """Make a selective search: opencv's plain wheels have none."""
    import cv2

    cv2.ximgproc.segmentation.createSelectiveSearchSegmentation()


def main() -> int:
    """Run one proof.

    Returns:
        The exit code: 0, or 1 after a sentence that says what does not work.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('what', choices=['operators', 'opencv'])
    parser.add_argument('device', nargs='?', default='cpu', choices=['cpu', 'cuda'])
    args = parser.parse_args()
    try:
        if args.what == 'operators':
            prove_operators(args.device)
        else:
            prove_opencv()
    except Exception as error:
        remedy = 'remove the virtual environment and run make install again'
        print(f'{args.what} of this environment do not work ({error}): {remedy}.', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
