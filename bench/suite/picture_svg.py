# Small charts as inline SVG: bars and lines on a logarithmic scale.
"""Everything is text; nothing is loaded. Colours come from the page's style by class."""
import html
import math

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 560, 260, 64, 40, 16
SERIES = ("s0", "s1", "s2", "s3", "s4", "s5", "s6")


def short(value):
    """A number as an axis tells it."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return "%.3g%s" % (value / size, letter)
    return "%.3g" % value


def log_range(values):
    values = [value for value in values if value and value > 0]
    if not values:
        return 0, 1
    low = math.floor(math.log10(min(values)))
    high = math.ceil(math.log10(max(values)))
    return low, max(high, low + 1)


def text(x, y, words, anchor="middle", kind="axis"):
    return '<text x="%.1f" y="%.1f" text-anchor="%s" class="%s">%s</text>' % (
        x, y, anchor, kind, html.escape(str(words)))


def frame(body, width, height, title):
    return ('<svg viewBox="0 0 %d %d" role="img" aria-label="%s">%s</svg>'
            % (width, height, html.escape(title), "".join(body)))


def bars(rows, unit, title):
    """rows: (label, value, low, high, class); horizontal, logarithmic from a decade below."""
    rows = [row for row in rows if row[1]]
    if not rows:
        return "<p>not measured</p>"
    low, high = log_range([value for _, value, *_ in rows])
    low -= 1
    left, row_height = 210, 26
    height = row_height * len(rows) + 24

    def at(value):
        share = (math.log10(max(value, 10.0 ** low)) - low) / (high - low)
        return left + share * (WIDTH - left - 70)

    body = []
    for power in range(low, high + 1):
        x = at(10.0 ** power)
        body.append('<line class="grid" x1="%.1f" y1="0" x2="%.1f" y2="%d"/>' % (x, x, height - 20))
        body.append(text(x, height - 6, short(10.0 ** power)))
    for i, (label, value, least, most, kind) in enumerate(rows):
        y = i * row_height + 4
        body.append('<rect class="%s" x="%d" y="%d" width="%.1f" height="16"><title>%s: %s %s</title>'
                    '</rect>' % (kind, left, y, at(value) - left, html.escape(label),
                                 "{:,.0f}".format(value), unit))
        if least and most:
            body.append('<line class="spread" x1="%.1f" x2="%.1f" y1="%d" y2="%d"/>' % (
                at(least), at(most), y + 8, y + 8))
        body.append(text(left - 6, y + 12, label, "end", "label"))
        body.append(text(at(most or value) + 5, y + 12, short(value), "start", "value"))
    return frame(body, WIDTH, height, title)


def lines(names, series, unit, title):
    """names: of the points along x. series: (label, values), None where there is no figure."""
    series = [(label, values) for label, values in series if any(values)]
    if not series or len(names) < 2:
        return "<p>not measured</p>"
    low, high = log_range([value for _, values in series for value in values])
    width, height = WIDTH, HEIGHT + 16 * ((len(series) + 1) // 2)
    step = (width - LEFT - 24) / (len(names) - 1)

    def y_at(value):
        share = (math.log10(value) - low) / (high - low)
        return HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP)

    body = [text(8, TOP - 4, unit, "start")]
    for power in range(low, high + 1):
        y = y_at(10.0 ** power)
        body.append('<line class="grid" x1="%d" x2="%d" y1="%.1f" y2="%.1f"/>' % (
            LEFT, width - 16, y, y))
        body.append(text(LEFT - 6, y + 4, short(10.0 ** power), "end"))
    for i, name in enumerate(names):
        body.append(text(LEFT + i * step, HEIGHT - BOTTOM + 16, name))
    for number, (label, values) in enumerate(series):
        kind = SERIES[number % len(SERIES)]
        points = [(LEFT + i * step, y_at(value), name, value)
                  for i, (name, value) in enumerate(zip(names, values)) if value and value > 0]
        body.append('<polyline class="line %s" points="%s"/>' % (
            kind, " ".join("%.1f,%.1f" % point[:2] for point in points)))
        for x, y, name, value in points:
            body.append('<circle class="%s" cx="%.1f" cy="%.1f" r="3"><title>%s, %s: %.4g %s'
                        '</title></circle>' % (kind, x, y, html.escape(label),
                                               html.escape(name), value, unit))
        x, y = LEFT + (number % 2) * 250, HEIGHT - 6 + 16 * (number // 2)
        body.append('<rect class="%s" x="%d" y="%d" width="10" height="10"/>' % (kind, x, y - 9))
        body.append(text(x + 15, y, label, "start", "label"))
    return frame(body, width, height, title)
