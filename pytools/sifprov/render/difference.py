"""How two files differ: in lines, and as JSON (`sif_layouts/schemas/compare.schema.json`)."""

from __future__ import annotations

from collections.abc import Iterator

from sifprov.filediff import Difference
from sifprov.model.canonical import Json, text_to_json
from sifprov.terminal import printable


def details(found: Difference) -> Iterator[str]:
    """Yields what the two files say where they differ: lines of text, or the worst number."""
    if found.text:
        yield from map(printable, found.text.diff)
        if found.text.cut:
            yield "…"
    worst = found.numbers.worst if found.numbers else None
    if worst:
        column = f"column {printable(worst.column)}" if worst.column else ""
        yield f"most at line {worst.line}, {column}: {worst.first} → {worst.second}"


def difference_to_json(found: Difference) -> Json:
    """Returns one of four ways to look; none for a file that was too large."""
    numbers, text, bits, pixels = found.numbers, found.text, found.bytes, found.pixels
    worst = numbers.worst if numbers else None
    return {
        "bytes": {"count": bits.count, "first": bits.first} if bits else None,
        "note": found.note,
        "numbers": {
            "beyond": numbers.beyond,
            "count": numbers.count,
            "different": numbers.different,
            "largest": None if numbers.largest is None else str(numbers.largest),
            "relative": None if numbers.relative is None else str(numbers.relative),
            "worst": {
                "column": text_to_json(worst.column),
                "first": worst.first,
                "line": worst.line,
                "second": worst.second,
            }
            if worst
            else None,
        }
        if numbers
        else None,
        "pixels": {
            "colours": pixels.colours,
            "different": pixels.different,
            "first": list(pixels.first),
            "full": pixels.full,
            "largest": pixels.largest,
            "second": list(pixels.second),
        }
        if pixels
        else None,
        "text": {
            "cut": text.cut,
            "diff": [text_to_json(line) for line in text.diff],
            "line": text.line,
        }
        if text
        else None,
    }
