"""The colours of the pictures, light and dark.

They are told apart by hue and lightness, and every kind has a shape of its own beside. Plain
rules without variables, for not only browsers draw SVG.
"""

from __future__ import annotations

from collections.abc import Mapping

LIGHT: Mapping[str, str] = {
    "ground": "#ffffff", "ink": "#1f2328", "soft": "#59636e", "arrow": "#818b98", "line": "#d1d9e0",
    "card": "#f6f8fa",
    "data": "#0969da", "application": "#8250df", "folder": "#0b7a75", "run": "#1a7f37",
    "making": "#6e5a35", "missing": "#59636e", "warn": "#9a6700", "warn-ground": "#fff1c2",
    "bad": "#c01c28", "bad-ground": "#ffe4e1", "data-ground": "#eef5ff",
    "application-ground": "#f7f1ff", "folder-ground": "#e9f8f7", "run-ground": "#ecf9ef",
    "making-ground": "#f8f4ea", "note-ground": "#e7ebef",
}  # fmt: skip
DARK: Mapping[str, str] = {
    "ground": "#0d1117", "ink": "#e6edf3", "soft": "#9aa4af", "arrow": "#768390", "line": "#3d444d",
    "card": "#161b22",
    "data": "#58a6ff", "application": "#c297ff", "folder": "#46c9c0", "run": "#56d364",
    "making": "#d9b56a", "missing": "#9aa4af", "warn": "#e3b341", "warn-ground": "#3a2d07",
    "bad": "#ff8078", "bad-ground": "#4a1518", "data-ground": "#0f2138",
    "application-ground": "#221738", "folder-ground": "#0b2a2b", "run-ground": "#0f2a17",
    "making-ground": "#2b2412", "note-ground": "#262c36",
}  # fmt: skip
KINDS = ("data", "application", "folder", "run", "making")
# Marks by how much they ask for attention.
BAD, WARN = ("changed-outside", "image-src-outside", "problem", "failed"), (
    "provisional", "image-src-link", "unsure",
)  # fmt: skip


def rules(of: Mapping[str, str], scope: str = ".sifprov ") -> str:
    """Returns the rules that give colours; `of` says which (`LIGHT`, `DARK`, or variables)."""

    def each(names: tuple[str, ...], prefix: str) -> str:
        return ",".join(f"{scope}{prefix}{name}" for name in names)

    lines = [
        f"{scope}.ground{{fill:{of['ground']}}}",
        f"{scope}text{{fill:{of['ink']}}}",
        f"{scope}.line,{scope}.digest,{scope}.label{{fill:{of['soft']}}}",
        f"{scope}.label{{stroke:{of['ground']}}}",
        f"{scope}.arrow{{stroke:{of['arrow']}}}",
        f"{scope}.head{{fill:{of['arrow']}}}",
    ]
    for kind in KINDS:
        lines.append(
            f"{scope}.{kind} .outline{{stroke:{of[kind]};fill:{of[f'{kind}-ground']}}}"
            f"{scope}.{kind} .icon{{stroke:{of[kind]}}}"
        )
    lines += [
        f"{scope}.is-missing .outline{{stroke:{of['missing']};fill:{of['ground']}}}",
        f"{scope}.is-missing .icon{{stroke:{of['missing']}}}",
        f"{scope}.is-failed .outline,{scope}.is-failed .icon{{stroke:{of['bad']}}}",
        f"{scope}.chip{{fill:{of['note-ground']}}}{scope}.chiptext{{fill:{of['soft']}}}",
        f"{each(WARN, '.chip.')}{{fill:{of['warn-ground']}}}",
        f"{each(WARN, '.chiptext.')}{{fill:{of['warn']}}}",
        f"{each(BAD, '.chip.')}{{fill:{of['bad-ground']}}}",
        f"{each(BAD, '.chiptext.')},{scope}.problem{{fill:{of['bad']}}}",
        f"{scope}.flagged{{stroke:{of['bad']}}}",
    ]
    return "".join(lines)


def shapes(scope: str = ".sifprov ") -> str:
    """Returns the rules that are the same in dark and light."""
    mono = "font-family:ui-monospace,monospace"
    return (
        f"{scope}text{{font-family:system-ui,sans-serif;font-size:11px}}"
        f"{scope}.heading{{font-size:16px;font-weight:600}}"
        f"{scope}.title{{font-size:13px;font-weight:600}}"
        f"{scope}.mono{{{mono};font-size:12px;font-weight:600}}"
        f"{scope}.digest{{{mono}}}"
        f"{scope}.chiptext,{scope}.label{{font-size:10px}}"
        f"{scope}.label{{paint-order:stroke;stroke-width:3px;stroke-linejoin:round}}"
        f"{scope}.outline{{stroke-width:1.5px}}"
        f"{scope}.is-target .outline{{stroke-width:3.5px}}"
        f"{scope}.is-missing .outline,{scope}.alias .outline{{stroke-dasharray:5 4}}"
        f"{scope}.is-embedded .outline{{stroke-opacity:.5}}"
        f"{scope}.icon{{fill:none;stroke-width:1.5px;stroke-linejoin:round;stroke-linecap:round}}"
        f"{scope}.arrow{{fill:none;stroke-width:1.5px}}"
        f"{scope}.made{{stroke-width:2.25px}}"
        f"{scope}.revision{{stroke-dasharray:2 4}}"
    )


SVG_STYLE = f"{shapes()}{rules(LIGHT)}@media(prefers-color-scheme:dark){{{rules(DARK)}}}"
