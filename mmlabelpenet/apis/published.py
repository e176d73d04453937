"""Models whose weights come with the package, by their names."""

from pathlib import Path

from mmlabelpenet.resources import resource_path
from mmlabelpenet.utils import UserError


def published_weights() -> dict[str, Path]:
    """Find the weights that ``tools/model_converters/publish_model.py`` wrote to ``demo/weights``.

    Returns:
        For each name of a model the file ``{name}-{hash}.pth``.
    """
    paths = sorted(resource_path('demo/weights').glob('*-????????.pth'))
    return {path.stem.rpartition('-')[0]: path for path in paths}


def find_weights(model: object) -> Path:
    """Get the weights of a published model.

    Args:
        model: Its name; None takes the only model that is published.

    Raises:
        UserError: If there is no such model.
    """
    known = published_weights()
    if model is None and len(known) == 1:
        return next(iter(known.values()))
    if not isinstance(model, str) or model not in known:
        of = f' of {model}' if isinstance(model, str | Path) else ''
        raise UserError(
            f'The inferencer needs weights{of}: name a checkpoint, or instead of the config a '
            'model whose weights are in demo/weights.'
        )
    return known[model]
