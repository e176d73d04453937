"""Leaves dumped configs as they are: yapf takes longer to format one than a short training."""

import importlib

# A package in place of yapf, for processes that tests start.
YAPF = {
    '__init__.py': "__version__ = '0.43.0'\n",
    'yapflib/__init__.py': '',
    'yapflib/yapf_api.py': 'def FormatCode(text, **_):\n    return text, True\n',
}


def leave_configs_plain(monkeypatch):
    """Leave configs of this process unformatted; return the functions that did it, by module."""
    replaced = {}
    for name in ('yapf.yapflib.yapf_api', 'mmengine.config.config'):
        module = importlib.import_module(name)
        if 'FormatCode' in vars(module):  # not all versions of mmengine import it there
            replaced[name] = module.FormatCode
            monkeypatch.setattr(module, 'FormatCode', lambda text, **style: (text, True))
    return replaced


def write_plain_yapf(folder):
    """Write the package that stands in for yapf into a folder of ``PYTHONPATH``."""
    for name, text in YAPF.items():
        path = folder / 'yapf' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
