"""Pages of docs/ with a part that a script writes, between two markers."""

from pathlib import Path

from mmlabelpenet.utils import UserError, atomic_path

DOCS = Path(__file__).parents[1]


def filled(page: str, name: str, text: str) -> str:
    """Put a text between the markers of a page.

    Args:
        page: Markdown of the page.
        name: Of the markers.
        text: Markdown.

    Raises:
        UserError: If the page does not have both markers once.
    """
    begin, end = f'<!-- {name} begin -->', f'<!-- {name} end -->'
    if page.count(begin) != 1 or page.count(end) != 1:
        raise UserError(f'The page needs the lines {begin} and {end}, once each.')
    before, after = page.split(begin)[0], page.split(end)[1]
    return f'{before}{begin}\n\n{text}\n\n{end}{after}'


def fill_page(path: Path, name: str, text: str) -> None:
    """Write the page with a new text between its markers."""
    page = filled(path.read_text(), name, text)
    with atomic_path(path) as temporary:
        temporary.write_text(page)
