"""The table, and the same as a picture."""

import html

WIDTH, BAR, LEFT = 900, 22, 330  # pixels


def number(value):
    if value is None:
        return ""
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def table(results):
    header = ("", "gateway", "reference", "", "ratio", "at most", "")
    lines = [header]
    for row in results:
        ratio = f"{row['ratio']:.2f} ({row['ratio_min']:.2f}-{row['ratio_max']:.2f})" if "ratio" in row else ""
        met = {True: "met", False: "MISSED", None: ""}[row.get("met")]
        reference = f"{number(row.get('reference'))} {row['of']}" if row["of"] else ""
        lines.append((row["what"], number(row["gateway"]), reference, row["unit"], ratio, number(row["at_most"]), met))
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines)


def picture(results, title):
    """A bar for each ratio; a mark where it may end at most."""
    rows = [row for row in results if "ratio" in row]
    scale = (WIDTH - LEFT - 80) / max(2, *(row["ratio"] for row in rows))
    height = 50 + BAR * len(rows)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" font-family="sans-serif" '
             f'font-size="12"><rect width="100%" height="100%" fill="white"/>'
             f'<text x="10" y="20" font-size="14">{html.escape(title)}</text>']
    one = LEFT + scale
    parts.append(f'<line x1="{one:.1f}" y1="30" x2="{one:.1f}" y2="{height - 10}" stroke="#999"/>')
    for index, row in enumerate(rows):
        top = 36 + BAR * index
        colour = "#c0392b" if row.get("met") is False else "#2e7d32" if row.get("met") else "#607d8b"
        length = row["ratio"] * scale
        label = html.escape(f"{row['what']} / {row['of']}")
        parts.append(f'<text x="{LEFT - 8}" y="{top + 13}" text-anchor="end">{label}</text>'
                     f'<rect x="{LEFT}" y="{top}" width="{length:.1f}" height="{BAR - 6}" fill="{colour}"/>'
                     f'<text x="{LEFT + length + 6:.1f}" y="{top + 13}">{row["ratio"]:.2f}</text>')
        if row["at_most"] is not None:
            mark = LEFT + row["at_most"] * scale
            parts.append(f'<line x1="{mark:.1f}" y1="{top - 2}" x2="{mark:.1f}" y2="{top + BAR - 4}" '
                         f'stroke="black" stroke-width="2"/>')
    return "\n".join([*parts, "</svg>\n"])
