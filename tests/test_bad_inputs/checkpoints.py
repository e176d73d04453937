"""Checkpoints, the configs in them, and files of results."""

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from mmlabelpenet.apis import LabelPEnetInferencer, load_weights, read_checkpoint
from mmlabelpenet.evaluation import read_predictions
from mmlabelpenet.utils import dump_arrays

from .table import REPOSITORY, BadInput, run_tool

CONFIG = REPOSITORY / 'configs/label_penet/label-penet_effnet-lite0_shapes.py'
CLASSES = ('star', 'ring')
Case = Callable[[Path], Any]


class Creates:
    """Creates a file when it is unpickled."""

    def __reduce__(self) -> tuple:
        """Call a function of the operating system."""
        return os.mkdir, ('created',)


class Evaluates:
    """Evaluates code when it is unpickled."""

    def __reduce__(self) -> tuple:
        """Call Python's interpreter."""
        return eval, ('open("created", "w")',)


class Attribute:
    """Gets a function when it is unpickled."""

    def __reduce__(self) -> tuple:
        """Get a method."""
        return getattr, (nn.Module, 'apply')


class Pointers:
    """An array of objects whose type claims to be plain bytes, so that these are pointers."""

    def __reduce__(self) -> tuple:
        """Give bytes as values."""
        made, args, _ = np.array([None]).__reduce__()
        return made, args, (1, (1,), FalseFlags(), False, b'\x11' * 8)


class FalseFlags:
    """The data type of objects, without its flags."""

    def __reduce__(self) -> tuple:
        """Leave the flags out of the state."""
        made, args, state = np.dtype('O').__reduce__()
        return made, args, (*state[:-1], 0)


def model() -> nn.Module:
    """A model of two layers."""
    return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))


def checkpoint(**changes: Any) -> dict:
    """A checkpoint of the model, with changes."""
    return dict(meta=dict(epoch=3), state_dict=model().state_dict()) | changes


def weights(**changes: Any) -> dict:
    """A checkpoint of the model with changes of the first layer."""
    state = {**model().state_dict(), **{f'0.{name}': one for name, one in changes.items()}}
    return checkpoint(state_dict={name: one for name, one in state.items() if one is not None})


def read(content: Any, **options: Any) -> Case:
    """Load this checkpoint into the model."""

    def run(root: Path) -> Any:
        path = root / 'a.pth'
        path.write_bytes(content) if isinstance(content, bytes) else torch.save(
            content, path, **options
        )
        return load_weights(model(), str(path))

    return run


def safetensors(root: Path) -> Any:
    """A file of another format."""
    (root / 'a.safetensors').write_bytes((8).to_bytes(8, 'little') + b'{}      ')
    return read_checkpoint(str(root / 'a.safetensors'))


def cut(keep: float, flip: int = 0) -> Case:
    """A checkpoint of which only the first part is left, or with a changed byte."""

    def run(root: Path) -> Any:
        torch.save(checkpoint(), root / 'a.pth')
        data = bytearray((root / 'a.pth').read_bytes())
        data[len(data) // 2] ^= flip
        (root / 'a.pth').write_bytes(data[: int(keep * len(data))])
        return load_weights(model(), str(root / 'a.pth'))

    return run


def cut_pickle(root: Path) -> Any:
    """A file of old torch, of which only the first bytes are left."""
    torch.save(checkpoint(), root / 'a.pth', _use_new_zipfile_serialization=False)
    (root / 'a.pth').write_bytes((root / 'a.pth').read_bytes()[:300])
    return load_weights(model(), str(root / 'a.pth'))


def address(root: Path) -> Any:
    """A checkpoint in a store that is not read."""
    return read_checkpoint('hf://a/b.pth')


def named(name: str) -> Case:
    """A checkpoint by a name that is none."""

    def run(root: Path) -> Any:
        (root / 'epochs').mkdir()
        return read_checkpoint(str(root / name))

    return run


def of_config(text: Any) -> Case:
    """A checkpoint with this text as its config."""

    def run(root: Path) -> Any:
        meta = {} if text is None else dict(cfg=text)
        torch.save(checkpoint(meta=meta), root / 'a.pth')
        return LabelPEnetInferencer(weights=root / 'a.pth', device='cpu')

    return run


def tool(name: str, *args: str) -> Case:
    """A malicious checkpoint, given to a tool."""

    def run(root: Path) -> Any:
        torch.save(checkpoint(hook=Creates()), root / 'a.pth')
        run_tool(name, CONFIG, *args)

    return run


def result(name: str = 'a.pkl', **changes: Any) -> Case:
    """Results of one image, with changes of its predictions."""
    found = dict(
        bboxes=torch.tensor([[1.0, 2, 5, 6]]), labels=torch.tensor([0]), scores=torch.tensor([0.5])
    )
    found = {key: one for key, one in (found | changes).items() if one is not None}
    return results([dict(img_id='a', pred_instances=found, classes=CLASSES)], name)


def results(content: Any, name: str = 'a.pkl', dump: Any = None) -> Case:
    """A file of results."""

    def run(root: Path) -> Any:
        path = root / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif content is not None:
            (dump or dump_arrays)(content, path)
        return read_predictions(path, CLASSES)

    return run


def dump_plainly(content: Any, path: Path) -> None:
    """Pickle as Python does."""
    path.write_bytes(pickle.dumps(content))


NAME_CONFIG = 'name the config that it was trained with, or, '


def refused(beginning: str, otherwise: str = '') -> str:
    """The sentence of a file that is not loaded because it could run code."""
    return (
        f'{beginning}, which is more than weights and plain data and could run any code on this '
        f'machine, so it was not loaded: {otherwise}if you trust its author, add '
        '--trust-checkpoint (trust_checkpoint=True of the inferencer).'
    )


ROWS: list[BadInput] = [
    BadInput(
        'a file of old torch that is cut',
        cut_pickle,
        '{root}/a.pth cannot be read as a checkpoint (EOFError: it ends too early, as a file that '
        'was not copied whole): copy or download it again, or take another one.',
    ),
    BadInput(
        'an address that is not read',
        address,
        'hf://a/b.pth cannot be read as a checkpoint (FileNotFoundError: hf://a/b.pth can not be '
        'found.): download the file, and name its path; of addresses only https:// is read, and '
        'the names that mmengine lists for open-mmlab:// and, with torchvision, torchvision://.',
    ),
    BadInput(
        'no such file',
        named('gone.pth'),
        'There is no checkpoint {root}/gone.pth; train first, or fix the path.',
    ),
    BadInput(
        'a folder instead of a checkpoint',
        named('epochs'),
        '{root}/epochs is a folder, no checkpoint; name a .pth file in it.',
    ),
    BadInput(
        'an empty checkpoint',
        read(b''),
        '{root}/a.pth cannot be read as a checkpoint (it is empty): copy or download it '
        'again, or take another one.',
    ),
    BadInput(
        'a text file',
        read(b'version https://git-lfs.github.com/spec/v1'),
        '{root}/a.pth cannot be read as a checkpoint (it is a pointer of Git LFS: run `git lfs '
        'pull`): copy or download it again, or take another one.',
    ),
    BadInput(
        'a web page that was downloaded instead',
        read(b'<!DOCTYPE html><html>404</html>'),
        '{root}/a.pth cannot be read as a checkpoint (it is a web page, as of a login: download '
        'the file itself): copy or download it again, or take another one.',
    ),
    BadInput(
        'a picture',
        read(b'\x89PNG\r\n\x1a\n' + bytes(50)),
        '{root}/a.pth cannot be read as a checkpoint (torch.save does not write such '
        'files): copy or download it again, or take another one.',
    ),
    BadInput(
        'a checkpoint cut in the middle',
        cut(0.5),
        '{root}/a.pth cannot be read as a checkpoint (it is cut or damaged): copy or '
        'download it again, or take another one.',
    ),
    BadInput(
        'a checkpoint without its last byte',
        cut(0.999),
        '{root}/a.pth cannot be read as a checkpoint (it is cut or damaged): copy or '
        'download it again, or take another one.',
    ),
    BadInput(
        'a zip file of something else',
        read(b'PK\x05\x06' + bytes(18)),
        '{root}/a.pth cannot be read as a checkpoint (it is a zip file of something '
        'else): copy or download it again, or take another one.',
    ),
    BadInput(
        'a checkpoint with a changed byte in its middle',
        cut(1, flip=255),
        '{root}/a.pth cannot be read as a checkpoint (its part a/data/3 is damaged): '
        'copy or download it again, or take another one.',
    ),
    BadInput(
        'a pickle of another protocol',
        read(pickle.dumps(checkpoint(), 4)),
        refused('{root}/a.pth holds a pickle of another protocol than torch.save writes'),
    ),
    BadInput(
        'a malicious checkpoint',
        read(checkpoint(hook=Creates())),
        refused('{root}/a.pth holds posix.mkdir'),
    ),
    BadInput(
        'a malicious checkpoint of old torch',
        read(checkpoint(hook=Creates()), _use_new_zipfile_serialization=False),
        refused('{root}/a.pth holds posix.mkdir'),
    ),
    BadInput(
        'a malicious pickle instead of a checkpoint',
        read(pickle.dumps(Creates(), 2)),
        refused('{root}/a.pth holds posix.mkdir'),
    ),
    BadInput(
        'a checkpoint that evaluates code',
        read(checkpoint(meta=dict(time=Evaluates()))),
        refused('{root}/a.pth holds eval'),
    ),
    BadInput(
        'a checkpoint that looks up a function',
        read(checkpoint(meta=dict(time=Attribute()))),
        refused('{root}/a.pth holds torch.nn.modules.module.Module'),
    ),
    BadInput(
        'a checkpoint with false pointers',
        read(checkpoint(meta=dict(seed=Pointers()))),
        '{root}/a.pth cannot be read as a checkpoint (UnpicklingError: an array has not '
        'as many values as its shape says): copy or download it again, or take another '
        'one.',
    ),
    BadInput(
        'a whole model instead of its weights',
        read(model()),
        refused('{root}/a.pth holds torch.nn.modules.container.Sequential'),
    ),
    BadInput(
        'an optimiser that was pickled whole',
        read(checkpoint(optimizer=torch.optim.SGD(model().parameters(), 1))),
        refused('{root}/a.pth holds torch.optim.sgd.SGD'),
    ),
    BadInput(
        'a list instead of a checkpoint',
        read([1, 2]),
        '{root}/a.pth holds a list instead of weights by their names: copy or download '
        'it again, or take another one.',
    ),
    BadInput(
        'a tensor instead of a checkpoint',
        read(torch.ones(2)),
        '{root}/a.pth holds a Tensor instead of weights by their names: copy or '
        'download it again, or take another one.',
    ),
    BadInput(
        'a list of weights',
        read(checkpoint(state_dict=[torch.ones(2)])),
        '{root}/a.pth holds no weights by their names: take another checkpoint.',
    ),
    BadInput(
        'weights that are lists',
        read(weights(weight=[1.0, 2.0])),
        '{root}/a.pth holds 0.weight, which is no weight but a list: take a checkpoint '
        'with weights, by their names or under state_dict.',
    ),
    BadInput(
        'weights under another name than state_dict',
        read(dict(model=model().state_dict())),
        '{root}/a.pth holds model, which is no weight but a OrderedDict: take a '
        'checkpoint with weights, by their names or under state_dict.',
    ),
    BadInput(
        'no weights',
        read(checkpoint(state_dict={})),
        '{root}/a.pth is a checkpoint of another model than the Sequential of this '
        'config: 6 weights missing (such as 0.bias); use the config that it was trained '
        'with.',
    ),
    BadInput(
        'meta that is no dict',
        read(checkpoint(meta=[1])),
        '{root}/a.pth has a meta that is no dict: take another checkpoint.',
    ),
    BadInput(
        'another model',
        read(nn.Conv2d(1, 1, 1).state_dict()),
        '{root}/a.pth is a checkpoint of another model than the Sequential of this '
        'config: 6 weights missing (such as 0.bias), 2 weights unknown (such as bias); '
        'use the config that it was trained with.',
    ),
    BadInput(
        'a missing weight',
        read(weights(bias=None)),
        '{root}/a.pth is a checkpoint of another model than the Sequential of this '
        'config: 1 weights missing (such as 0.bias); use the config that it was trained '
        'with.',
    ),
    BadInput(
        'a weight of another shape',
        read(weights(weight=torch.ones(4, 2))),
        '{root}/a.pth is a checkpoint of another model than the Sequential of this '
        'config: 1 weights of another shape (such as 0.weight); use the config that it '
        'was trained with.',
    ),
    BadInput(
        'a weight too many',
        read(weights(scale=torch.ones(1))),
        '{root}/a.pth is a checkpoint of another model than the Sequential of this '
        'config: 1 weights unknown (such as 0.scale); use the config that it was '
        'trained with.',
    ),
    BadInput(
        'NaN in the weights',
        read(weights(bias=torch.full((3,), float('nan')))),
        '{root}/a.pth has 1 weights with values that are not finite (such as 0.bias): '
        'its training diverged; take an earlier checkpoint.',
    ),
    BadInput(
        'a malicious checkpoint to test', tool('test', 'a.pth'), refused('a.pth holds posix.mkdir')
    ),
    BadInput(
        'a malicious checkpoint to export',
        tool('export_pseudo_labels', 'a.pth', '--out', 'out'),
        refused('a.pth holds posix.mkdir'),
    ),
    BadInput(
        'a malicious checkpoint to resume from',
        tool('train', '--resume', 'a.pth'),
        refused('a.pth holds posix.mkdir'),
    ),
    BadInput(
        'a malicious checkpoint to start from',
        tool('train', '--cfg-options', 'load_from=a.pth'),
        refused('a.pth holds posix.mkdir'),
    ),
    BadInput(
        'a checkpoint without a config',
        of_config(None),
        '{root}/a.pth holds no config: name the config that it was trained with.',
    ),
    BadInput(
        'a config in a checkpoint that is no text',
        of_config(7),
        '{root}/a.pth holds no config: name the config that it was trained with.',
    ),
    BadInput(
        'a config in a checkpoint with a syntax error',
        of_config('model = dict(type='),
        "{root}/a.pth cannot be read as a config (SyntaxError: '(' was never closed "
        '(<unknown>, line 1)): name the config that it was trained with.',
    ),
    BadInput(
        'a config in a checkpoint without a model',
        of_config('a = 1'),
        '{root}/a.pth cannot be read as a config (ValueError: it has no model): name '
        'the config that it was trained with.',
    ),
    BadInput(
        'a config in a checkpoint that imports',
        of_config('import os\nos.mkdir("created")'),
        refused('{root}/a.pth holds a config with the code `import os`', NAME_CONFIG),
    ),
    BadInput(
        'a config in a checkpoint that calls a function',
        of_config('model = dict(type=open("created", "w"))'),
        refused("{root}/a.pth holds a config with the code `open('created', 'w')`", NAME_CONFIG),
    ),
    BadInput(
        'a config in a checkpoint that builds on another file',
        of_config('with read_base():\n    from .a import *\n'),
        refused('{root}/a.pth holds a config with the code `with read_base():`', NAME_CONFIG),
    ),
    BadInput(
        'a config in a checkpoint with a module to import',
        of_config('custom_imports = dict(imports=["evil"])\nmodel = dict(type="MaskRCNN")'),
        refused('{root}/a.pth holds a config that imports evil', NAME_CONFIG),
    ),
    BadInput(
        'a config in a checkpoint with a function as type',
        of_config('model = dict(type="os.mkdir", path="created")'),
        refused('{root}/a.pth holds a config of the unregistered type os.mkdir', NAME_CONFIG),
    ),
    BadInput(
        'a config in a checkpoint with an unknown type',
        of_config('model = dict(type="MyDetector")'),
        refused('{root}/a.pth holds a config of the unregistered type MyDetector', NAME_CONFIG),
    ),
    BadInput(
        'a config in a checkpoint with an unknown scope',
        of_config('model = dict(type="MaskRCNN", _scope_="evil")'),
        refused('{root}/a.pth holds a config of the unregistered type evil.MaskRCNN', NAME_CONFIG),
    ),
    BadInput(
        'no results',
        results(None),
        'There are no predictions {root}/a.pkl: dump them with `tools/test.py CONFIG '
        'CHECKPOINT --out FILE.pkl`.',
    ),
    BadInput(
        'empty results',
        results(b''),
        '{root}/a.pkl cannot be read as predictions (EOFError: Ran out of input): dump '
        'them with `tools/test.py CONFIG CHECKPOINT --out FILE.pkl`.',
    ),
    BadInput(
        'results that are a text',
        results(b'torn'),
        '{root}/a.pkl cannot be read as predictions (ValueError: it is a text, such as '
        'CSV or JSON, and no pickle): dump them with `tools/test.py CONFIG CHECKPOINT '
        '--out FILE.pkl`.',
    ),
    BadInput(
        'results that were cut',
        results(pickle.dumps([dict(a=1)])[:-5]),
        '{root}/a.pkl cannot be read as predictions (UnpicklingError: pickle data was '
        'truncated): dump them with `tools/test.py CONFIG CHECKPOINT --out FILE.pkl`.',
    ),
    BadInput(
        'malicious results',
        results([Creates()], dump=dump_plainly),
        refused('{root}/a.pkl holds posix.mkdir'),
    ),
    BadInput(
        'results of another program, with pickled tensors',
        results([torch.ones(2)], dump=dump_plainly),
        refused('{root}/a.pkl holds torch._utils._rebuild_tensor_v2'),
    ),
    BadInput(
        'results with false pointers',
        results([Pointers()], dump=dump_plainly),
        '{root}/a.pkl cannot be read as predictions (UnpicklingError: an array has not '
        'as many values as its shape says): dump them with `tools/test.py CONFIG '
        'CHECKPOINT --out FILE.pkl`.',
    ),
    BadInput(
        'results that are no list',
        results(dict(a=1)),
        '{root}/a.pkl cannot be read as predictions (ValueError: it holds a dict '
        'instead of a list of predictions): dump them with `tools/test.py CONFIG '
        'CHECKPOINT --out FILE.pkl`.',
    ),
    BadInput(
        'results without predictions',
        results([dict(img_id='a')]),
        '{root}/a.pkl cannot be read as predictions (ValueError: entry 0 is no dict '
        'with img_id and pred_instances): dump them with `tools/test.py CONFIG '
        'CHECKPOINT --out FILE.pkl`.',
    ),
    BadInput(
        'results without an image',
        results([dict(pred_instances={})]),
        '{root}/a.pkl cannot be read as predictions (ValueError: entry 0 is no dict '
        'with img_id and pred_instances): dump them with `tools/test.py CONFIG '
        'CHECKPOINT --out FILE.pkl`.',
    ),
    BadInput(
        'results without scores',
        result(scores=None),
        '{root}/a.pkl cannot be read as predictions (ValueError: photo a has no '
        'scores): dump them with `tools/test.py CONFIG CHECKPOINT --out FILE.pkl`.',
    ),
    BadInput(
        'results with fewer scores than boxes',
        result(scores=torch.ones(0)),
        '{root}/a.pkl cannot be read as predictions (ValueError: photo a has different '
        'numbers of boxes and scores): dump them with `tools/test.py CONFIG CHECKPOINT '
        '--out FILE.pkl`.',
    ),
    BadInput(
        'results with damaged masks',
        result(masks=[dict(size=[4, 5], counts=b'04')]),
        'In {root}/a.pkl photo a has run lengths of 4 pixels, its mask has 20: encode the mask '
        'again at the size of the photo; dump them with `tools/test.py CONFIG CHECKPOINT --out '
        'FILE.pkl`.',
    ),
    BadInput(
        'results of other classes',
        results(
            [
                dict(
                    img_id='a',
                    pred_instances=dict(bboxes=[], labels=[], scores=[]),
                    classes=('cat',),
                )
            ]
        ),
        '{root}/a.pkl holds predictions of other classes than the config has (cat): use '
        'the config that they were made with.',
    ),
    BadInput(
        'results in JSON that is cut',
        results(b'{"images": [', name='a.json'),
        '{root}/a.json cannot be read as predictions (JSONDecodeError: Expecting value: '
        'line 1 column 13 (char 12)): fix the file, or export the labels again.',
    ),
    BadInput(
        'weights without values',
        read(weights(weight=torch.ones(3, 2, device='meta'))),
        '{root}/a.pth holds 0.weight, which is no weight but a tensor without values: '
        'take a checkpoint with weights, by their names or under state_dict.',
    ),
    BadInput(
        'sparse weights',
        read(weights(weight=torch.ones(3, 2).to_sparse())),
        '{root}/a.pth holds 0.weight, which is no weight but a sparse tensor: take a '
        'checkpoint with weights, by their names or under state_dict.',
    ),
    BadInput(
        'quantised weights',
        read(weights(weight=torch.quantize_per_tensor(torch.ones(3, 2), 0.1, 0, torch.qint8))),
        '{root}/a.pth holds 0.weight, which is no weight but a quantised tensor: take a '
        'checkpoint with weights, by their names or under state_dict.',
    ),
    BadInput(
        'complex weights',
        read(weights(weight=torch.ones(3, 2, dtype=torch.complex64))),
        '{root}/a.pth holds 0.weight, which is no weight but a tensor of complex numbers:'
        ' take a checkpoint with weights, by their names or under state_dict.',
    ),
    BadInput(
        'whole numbers for weights',
        read(weights(weight=torch.ones(3, 2, dtype=torch.int64))),
        '{root}/a.pth is a checkpoint of another model than the Sequential of this '
        'config: 1 weights of another type of numbers (such as 0.weight); use the config '
        'that it was trained with.',
    ),
    BadInput(
        'weights that are true or false',
        read(weights(weight=torch.ones(3, 2) > 0)),
        '{root}/a.pth is a checkpoint of another model than the Sequential of this '
        'config: 1 weights of another type of numbers (such as 0.weight); use the config '
        'that it was trained with.',
    ),
    BadInput(
        'weights too large for the model',
        read(weights(weight=torch.full((3, 2), 1e300, dtype=torch.float64))),
        '{root}/a.pth has 1 weights with values that are not finite (such as 0.weight): '
        'its training diverged; take an earlier checkpoint.',
    ),
    BadInput(
        'weights of a model and of its wrapper',
        read(checkpoint(state_dict=model().state_dict() | {'module.0.bias': torch.ones(3)})),
        '{root}/a.pth holds weights both of a model and of its wrapper: copy or download '
        'it again, or take another one.',
    ),
    BadInput(
        'a checkpoint of safetensors',
        safetensors,
        '{root}/a.safetensors cannot be read as a checkpoint (it is in the format of '
        'safetensors: convert it by torch.save(safetensors.torch.load_file(FILE), '
        "'FILE.pth')): copy or download it again, or take another one.",
    ),
]
