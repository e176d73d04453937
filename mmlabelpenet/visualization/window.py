"""Windows, which need a display."""

import matplotlib

from mmlabelpenet.utils import UserError

# matplotlib's ways of drawing that only write files
WITHOUT_WINDOWS = ('agg', 'cairo', 'pdf', 'pgf', 'ps', 'svg', 'template')


def require_display() -> None:
    """Make sure that windows can be shown.

    Raises:
        UserError: If this machine has no display, or matplotlib no library for windows.
    """
    # resolves to 'agg' where no display can be reached
    import matplotlib.pyplot as plt

    if plt.get_backend().lower() in WITHOUT_WINDOWS:
        raise UserError(
            '--show needs a display, and there is none that matplotlib can use '
            f"(its backend is '{matplotlib.get_backend()}'): leave --show out and look at the "
            'pictures in their folder, or connect with a display (ssh -X).'
        )
