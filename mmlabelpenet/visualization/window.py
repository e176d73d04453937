"""Windows, which need a display."""

import matplotlib
from matplotlib import rcsetup

from mmlabelpenet.utils import UserError


def require_display() -> None:
    """Make sure that windows can be shown.

    Raises:
        UserError: If this machine has no display, or matplotlib no library for windows.
    """
    # resolves to 'agg' where no display can be reached
    import matplotlib.pyplot as plt

    backend = plt.get_backend().lower()
    # a notebook's own backend is a module
    interactive = {name.lower() for name in rcsetup.interactive_bk}
    if (
        backend not in interactive
        and not backend.startswith('module://')
        and ('inline' not in backend)
    ):
        raise UserError(
            '--show needs a display, and there is none that matplotlib can use '
            f"(its backend is '{matplotlib.get_backend()}'): leave --show out and look at the "
            'pictures in their folder, or connect with a display (ssh -X).'
        )
