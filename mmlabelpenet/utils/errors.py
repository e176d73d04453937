"""The error that a user can mend."""


class UserError(Exception):
    """Bad input, told in one sentence that names the file and the remedy.

    The tools print the sentence without a traceback and leave with exit code 2.
    """
