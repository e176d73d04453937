"""The error that a user can fix."""


class UserError(Exception):
    """Bad input, described in one sentence that names the file and the remedy.

    The tools print the sentence without a traceback and exit with code 2.
    """
