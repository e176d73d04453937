"""Make of a checkpoint a file for others: weights in half precision, and what inference needs.

The file is named after the model and the beginning of its SHA-256. In demo/weights, the demo and
the inferencer find it by the name of the model.

Example:
    python tools/model_converters/publish_model.py work_dirs/mine/epoch_20.pth mine
"""

import argparse
import hashlib
import io
from collections.abc import Sequence
from pathlib import Path

import torch
from mmengine.config import Config

from mmlabelpenet.apis import (
    LabelPEnetInferencer,
    add_trust_option,
    read_checkpoint,
    run_command,
)
from mmlabelpenet.apis.configs import config_of_checkpoint
from mmlabelpenet.apis.pipeline import set_proposals, source_of, test_pipeline_of
from mmlabelpenet.utils import Parser, UserError, atomic_path, require_writable, trust_files

META = ('dataset_meta', 'epoch', 'iter', 'seed', 'mmengine_version')
SETTINGS = ('default_scope', 'custom_imports', 'classes_from_data', 'model')


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('checkpoint', help='checkpoint file that holds its config')
    parser.add_argument('name', help='name of the model: that of its config')
    parser.add_argument('--out', default='demo/weights', help='folder of published weights')
    add_trust_option(parser)
    return parser.parse_args(argv)


def halve(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Round matrices and kernels to half precision.

    Vectors (biases, statistics of batch norm) stay as they are: they are few, and variances can be
    below the range of half precision.
    """
    return {
        name: value.half() if value.is_floating_point() and value.ndim > 1 else value
        for name, value in weights.items()
    }


def inference_config(cfg: Config) -> str:
    """Write what the inferencer reads of a config: the model and the pipeline of its tests.

    Folders of data, and weights that training started from, are left out.
    """
    pipeline = test_pipeline_of(cfg)
    step = dict(type='ProvideRegionProposals', source=source_of(cfg, None, None))
    set_proposals(pipeline, **step, proposal_root=None)
    kept = {name: cfg[name] for name in SETTINGS if name in cfg}
    kept['model'].backbone.init_cfg = None
    return Config(dict(**kept, test_dataloader=dict(dataset=dict(pipeline=pipeline)))).pretty_text


def publish(checkpoint: dict, name: str, folder: Path) -> Path:
    """Write the published form of a checkpoint, once the inferencer can load it.

    Args:
        checkpoint: See :func:`mmlabelpenet.apis.read_checkpoint`.
        name: Of the model.
        folder: Is created if it is missing.

    Returns:
        The file ``{name}-{hash}.pth``; the same checkpoint gives the same file.
    """
    meta = {key: checkpoint['meta'][key] for key in META if key in checkpoint['meta']}
    meta['cfg'] = inference_config(config_of_checkpoint(checkpoint, name))
    buffer = io.BytesIO()
    torch.save(dict(meta=meta, state_dict=halve(checkpoint['state_dict'])), buffer)
    digest = hashlib.sha256(buffer.getvalue()).hexdigest()
    path = folder / f'{name}-{digest[:8]}.pth'
    with atomic_path(path) as temporary:
        temporary.write_bytes(buffer.getvalue())
        LabelPEnetInferencer(weights=temporary, device='cpu')
    return path


def main(argv: Sequence[str] | None = None) -> None:
    """Publish.

    Args:
        argv: Arguments of the command line without the program; None reads ``sys.argv``.

    Raises:
        UserError: If the checkpoint cannot be read, or holds no config or no classes.
    """
    args = parse_args(argv)
    require_writable(args.out, folder=True)
    with trust_files(args.trust_checkpoint):
        checkpoint = read_checkpoint(args.checkpoint)
        if not checkpoint['meta'].get('dataset_meta'):
            raise UserError(
                f'{args.checkpoint} does not say what its classes are: publish a checkpoint that '
                'tools/train.py wrote.'
            )
        path = publish(checkpoint, args.name, Path(args.out))
    print(f'{path} has {path.stat().st_size / 1e6:.1f} MB.')


if __name__ == '__main__':
    run_command(main)
