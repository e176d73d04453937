"""Tables in Markdown."""

from collections.abc import Sequence

from tabulate import DataRow, TableFormat, tabulate

_ROW = DataRow('| ', ' | ', ' |')
# tabulate's own formats pad cells to the width of the column, so that one new row changes all
_UNPADDED = TableFormat(
    lineabove=None,
    linebelowheader=lambda widths, alignments: '|' + '---|' * len(widths),
    linebetweenrows=None,
    linebelow=None,
    headerrow=_ROW,
    datarow=_ROW,
    padding=0,
    with_header_hide=None,
)


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Make a Markdown table.

    Args:
        header: C headings.
        rows: C cells each, which are written as they are.

    Returns:
        The table, its lines separated by newlines, without one at the end.

    Example:
        >>> print(markdown_table(['class', 'AP'], [['cat', '51.2']]))
        | class | AP |
        |---|---|
        | cat | 51.2 |
    """
    return tabulate(
        rows, header, tablefmt=_UNPADDED, stralign=None, numalign=None, disable_numparse=True
    )
