"""The table of everything that a colour, a distance or a size can be: the only place for them."""

from __future__ import annotations

import enum

#: Name: (light, dark). #AARRGGBB where there is alpha.
COLOURS: dict[str, tuple[str, str]] = {
    # Surfaces, from the back to the front.
    "window": ("#F7F6F4", "#1C1D1F"),
    "sidebar": ("#EDEBE7", "#161719"),
    "surface": ("#FFFFFF", "#26282B"),
    "raised": ("#FFFFFF", "#2E3134"),
    "sunken": ("#F0EEEB", "#1F2123"),
    "hover": ("#0F000000", "#14FFFFFF"),
    "pressed": ("#1C000000", "#24FFFFFF"),
    "selected": ("#DCEFEB", "#1F4741"),
    "selected_inactive": ("#E8E6E2", "#33363A"),
    "border": ("#E2DFDA", "#36393D"),
    "border_strong": ("#C9C5BE", "#4A4E53"),
    # Words.
    "text": ("#1F2022", "#ECECEA"),
    "text_secondary": ("#5F6164", "#A9ACB0"),
    "text_tertiary": ("#6C6E72", "#8F9398"),
    "text_disabled": ("#A9A8A5", "#606468"),
    # The one accent.
    "accent": ("#0B7A6B", "#3CC7AE"),
    "accent_hover": ("#096B5E", "#55D4BE"),
    "accent_pressed": ("#075A4F", "#2FB09A"),
    "accent_soft": ("#E1F1EE", "#1E3C38"),
    "accent_text": ("#096B5E", "#5AD8C2"),
    "on_accent": ("#FFFFFF", "#06231E"),
    "focus": ("#800B7A6B", "#903CC7AE"),
    # States.
    "danger": ("#C03636", "#F07878"),
    "danger_soft": ("#FBE9E8", "#452626"),
    "danger_text": ("#A82B2B", "#F59A9A"),
    "on_danger": ("#FFFFFF", "#2B0A0A"),
    "warning": ("#A86500", "#E9B04C"),
    "warning_soft": ("#FBF0DC", "#42341C"),
    "success": ("#26803F", "#69C580"),
    "star": ("#DE9A10", "#F2BC4B"),
    # Sound.
    "waveform": ("#9DB8B3", "#5D7F79"),
    "waveform_played": ("#0B7A6B", "#3CC7AE"),
    "region": ("#290B7A6B", "#383CC7AE"),
    "region_edge": ("#0B7A6B", "#3CC7AE"),
    "playhead": ("#1F2022", "#F4F4F2"),
    "meter_low": ("#2E9C88", "#3CC7AE"),
    "meter_mid": ("#DE9A10", "#F2BC4B"),
    "meter_high": ("#C03636", "#F07878"),
    # Lyrics.
    "lyric_tag": ("#096B5E", "#5AD8C2"),
    "lyric_tag_soft": ("#E1F1EE", "#1E3C38"),
    "lyric_changed": ("#FBF0DC", "#42341C"),
    # Controls.
    "track": ("#D9D6D1", "#44484C"),
    "knob": ("#FFFFFF", "#F4F4F2"),
    "tooltip": ("#2B2C2E", "#3A3D41"),
    "on_tooltip": ("#F7F6F4", "#F0F0EE"),
    "shadow": ("#26000000", "#66000000"),
}


class Space(enum.IntEnum):
    """Distances in points: everything stands on this grid."""

    XS = 4
    S = 8
    M = 12
    L = 16
    XL = 24
    XXL = 32


class Radius(enum.IntEnum):
    """Corners in points."""

    SMALL = 4
    CONTROL = 7
    CARD = 10


#: Role: (pixels, weight as in QFont.Weight).
FONTS: dict[str, tuple[int, int]] = {
    "title": (22, 600),
    "heading": (16, 600),
    "subtitle": (14, 400),
    "label": (13, 500),
    "body": (13, 400),
    "caption": (12, 400),
    "small": (11, 400),
    "mono": (12, 400),
    "numbers": (12, 400),
}

CONTROL_HEIGHT = 30
ICON_SIZE = 18
