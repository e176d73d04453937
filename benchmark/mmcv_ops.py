"""Build a wheel of mmcv with only the operators that the detectors of the benchmark use.

All of mmcv compiles for minutes, with 59 files of CUDA. This takes NMS, RoIAlign and RoIPool, for
CPU and CUDA, in less than a minute of one core each. The other operators keep their names, because
mmcv looks for them when it is imported, and raise an error when they are called.

Example:
    TORCH_CUDA_ARCH_LIST=9.0 python benchmark/mmcv_ops.py onedl_mmcv-2.3.6.tar.gz wheels
"""

import argparse
import importlib.util
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

FUNCTIONS = (
    'get_compiler_version',
    'get_compiling_cuda_version',
    'nms',
    'roi_align_forward',
    'roi_align_backward',
    'roi_pool_forward',
    'roi_pool_backward',
)
SOURCES = ('info', 'nms', 'roi_align', 'roi_pool')
# mmcv's names of what its CUDA code adds to these functions.
CUDA_PARTS = re.compile(
    r'\b(nms|roi_(align|pool)_(forward|backward))_(cuda|impl)\b'
    r'|\b(NMS|ROI(Align|Pool)(Forward|Backward))CUDAKernelLauncher\b'
)
NUM_CUDA_OPERATORS = 5
ABSENT = """
void absent(py::args, py::kwargs) {
  throw std::runtime_error("this build of mmcv has only NMS, RoIAlign and RoIPool");
}
"""


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('sources', type=Path, help="mmcv's source archive")
    parser.add_argument('out', type=Path, help='folder of the wheel')
    return parser.parse_args(argv)


def reduced_bindings(text: str) -> str:
    """Bindings of the functions that are built; each other name raises an error.

    Args:
        text: Of mmcv's ``pybind.cpp``.
    """
    declarations = []
    for name in FUNCTIONS:
        [declaration] = re.findall(rf'^\S+ {name}\([^;]*;', text, re.M)
        declarations.append(declaration)
    head, body = text.split('PYBIND11_MODULE', 1)
    includes = [line for line in head.splitlines() if line.startswith('#include')]
    opening, *statements = re.split(
        r'(?=^  m\.def\()', body.rstrip().removesuffix('}'), flags=re.M
    )
    kept = []
    for statement in statements:
        [name] = re.findall(r'm\.def\("(\w+)"', statement)
        kept.append(statement if name in FUNCTIONS else f'  m.def("{name}", &absent);\n')
    module = 'PYBIND11_MODULE' + opening + ''.join(kept) + '}\n'
    return '\n'.join([*includes, *declarations, ABSENT, module])


def reduced_cuda(text: str) -> str:
    """Registrations of the operators that are built.

    Args:
        text: Of mmcv's ``cudabind.cpp``.
    """
    first, *paragraphs = text.split('\n\n')
    reduced = '\n\n'.join([first, *filter(CUDA_PARTS.search, paragraphs)]) + '\n'
    assert reduced.count('REGISTER_DEVICE_IMPL(') == NUM_CUDA_OPERATORS
    return reduced


def reduce(root: Path) -> None:
    """Leave out all sources of the operators that are not built.

    Args:
        root: Unpacked sources of mmcv, which are changed.
    """
    folder = root / 'mmcv/ops/csrc/pytorch'
    for path in [*folder.rglob('*.cpp'), *folder.rglob('*.cu')]:
        if path.name == 'pybind.cpp':
            path.write_text(reduced_bindings(path.read_text()))
        elif path.name == 'cudabind.cpp':
            path.write_text(reduced_cuda(path.read_text()))
        elif path.stem.removesuffix('_cuda') not in SOURCES:
            path.unlink()


def cuda_headers() -> list[Path]:
    """Folders of headers that the packages of CUDA bring along."""
    spec = importlib.util.find_spec('nvidia')
    roots = [] if spec is None else spec.submodule_search_locations or []
    return [path for root in roots for path in Path(root).glob('cu*/include')]


def main(argv: Sequence[str] | None = None) -> None:
    """Unpack, reduce and build."""
    args = parse_args(argv)
    environment = dict(os.environ, FORCE_CUDA='1', MMCV_WITH_OPS='1')
    environment.setdefault('CFLAGS', '-O2 -g0 -DNDEBUG -fwrapv')
    # Headers of cuBLAS and others, which torch includes, may have come with torch's wheel alone.
    environment.setdefault('CPATH', ':'.join(map(str, cuda_headers())))
    build = (
        sys.executable,
        '-m',
        'pip',
        'wheel',
        '--no-build-isolation',
        '--no-deps',
        '--no-cache-dir',
    )
    with tempfile.TemporaryDirectory() as temporary:
        with tarfile.open(args.sources) as archive:
            archive.extractall(temporary, filter='data')
        [root] = Path(temporary).iterdir()
        reduce(root)
        subprocess.run([*build, '-w', args.out, root], env=environment, check=True)


if __name__ == '__main__':
    main()
