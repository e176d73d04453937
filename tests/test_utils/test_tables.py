from mmlabelpenet.utils import markdown_table


def test_cells_are_written_as_they_are_without_padding():
    table = markdown_table(['class', 'AP'], [['aeroplane', '51.20'], ['cat', '-'], [' x ', '']])
    assert table.splitlines() == [
        '| class | AP |',
        '|---|---|',
        '| aeroplane | 51.20 |',
        '| cat | - |',
        '|  x  |  |',
    ]


def test_a_table_without_rows_is_its_header():
    assert markdown_table(['a', 'b', 'c'], []) == '| a | b | c |\n|---|---|---|'
