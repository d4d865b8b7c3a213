# The rows that have peers as an SVG: a bar for each server, as long as what it reaches against the best of the row.
from html import escape

from report import FORMATS, LIMIT, OWN, PEERS, Results

WIDTH, LEFT, BAR_MAX, BAR_HEIGHT, GAP, TITLE_HEIGHT = 860, 100, 600, 14, 18, 20
COLOURS = {OWN: "#2f6fde", LIMIT: "#d0d4da"}
OTHER_COLOUR = "#8b95a3"


def bars(results, row):
    """Each server with its value, in the table's order; nobody if no peer was measured, or if something was lost."""
    if results.losses(row):
        return []
    known = [(server, results.median(row.measurement, server, row.figure)) for server in (OWN, *PEERS, LIMIT)]
    known = [each for each in known if each[1]]
    return known if any(server in PEERS for server, _ in known) else []


def text(x, y, words, **attributes):
    more = "".join(f' {name.replace("_", "-")}="{value}"' for name, value in attributes.items())
    return f'<text x="{x}" y="{y}"{more}>{escape(words)}</text>'


def draw_row(row, known, top):
    """The row's elements, and where the next one begins."""
    show, most = FORMATS[row.format], max(value for _, value in known)
    hint = "" if row.is_more_better else " (shorter is better)"
    parts = [text(8, top + 13, f"{row.number}. {row.title}{hint}", font_weight="bold")]
    y = top + TITLE_HEIGHT
    for server, value in known:
        length = max(1, round(value / most * BAR_MAX))
        parts.append(text(LEFT - 6, y + 11, server, text_anchor="end"))
        parts.append(f'<rect x="{LEFT}" y="{y}" width="{length}" height="{BAR_HEIGHT - 3}" fill="{COLOURS.get(server, OTHER_COLOUR)}"/>')
        parts.append(text(LEFT + length + 6, y + 11, show(value)))
        y += BAR_HEIGHT
    return parts, y + GAP


def picture(data, rows):
    """The whole file."""
    results, parts, top = Results(data), [], 8
    for row in rows:
        known = bars(results, row)
        if known:
            drawn, top = draw_row(row, known, top)
            parts += drawn
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top}" width="{WIDTH}" height="{top}" '
        'font-family="sans-serif" font-size="11" fill="#24292f">')
    return "\n".join([head, f'<rect width="{WIDTH}" height="{top}" fill="#ffffff"/>', *parts, "</svg>", ""])
