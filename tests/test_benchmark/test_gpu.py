"""Measurements of a GPU: what fails costs nothing else, and what is measured is kept."""

import json
from argparse import Namespace

import pytest

BINDINGS = """#include "helper.hpp"
Tensor other(Tensor boxes);
{declarations}
PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) {{
  m.def("other", &other, "other",
        py::arg("boxes"));
{definitions}
}}
"""


@pytest.fixture
def gpu(benchmark_module):
    return benchmark_module('gpu')


@pytest.fixture
def args(tmp_path):
    return Namespace(out=tmp_path / 'gpu.json', tree='after', part='waits', rounds=1, device='cpu')


def raise_error():
    raise RuntimeError('not here')


def test_figures_add_to_the_file_and_an_error_is_told_in_its_place(gpu, args):
    gpu.record(args, 'one', lambda: 1.5)
    gpu.record(args, 'two', raise_error)
    args.tree = 'before'
    gpu.record(args, 'one', lambda: 2.5)
    result = json.loads(args.out.read_text())
    assert result == {
        'after': {'waits': {'one': 1.5, 'two': {'error': 'RuntimeError: not here'}}},
        'before': {'waits': {'one': 2.5}},
    }


def test_our_seconds_stay_where_the_rival_fails(gpu, args):
    figures = gpu.turns(args, dict(ours=lambda: None, rival=raise_error), count=1)
    assert figures['ours'] >= 0
    assert figures['rival_error'] == 'RuntimeError: not here'
    assert 'ratio' not in figures
    assert gpu.turns(args, dict(ours=lambda: None, rival=lambda: None), count=1)['ratio'] > 0


def test_versions_are_measured(gpu, args):
    args.part = 'versions'
    gpu.measure_versions(args)
    versions = json.loads(args.out.read_text())['after']['versions']
    assert versions['device'] == 'cpu'
    assert all(isinstance(version, str) for version in versions.values())


def test_operators_that_are_not_built_keep_their_names(benchmark_module):
    mmcv_ops = benchmark_module('mmcv_ops')
    text = BINDINGS.format(
        declarations='\n'.join(
            f'void {name}(Tensor x,\n     int y);' for name in mmcv_ops.FUNCTIONS
        ),
        definitions='\n'.join(f'  m.def("{name}", &{name});' for name in mmcv_ops.FUNCTIONS),
    )
    reduced = mmcv_ops.reduced_bindings(text)
    assert 'm.def("other", &absent);' in reduced
    assert 'Tensor other' not in reduced
    for name in mmcv_ops.FUNCTIONS:
        assert f'void {name}(Tensor x,\n     int y);' in reduced
        assert f'm.def("{name}", &{name});' in reduced
    assert reduced.count('{') == reduced.count('}')
