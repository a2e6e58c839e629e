"""One colour for each model, wherever a model is drawn: on the page and in the Grafana dashboard.

The colours differ for people with any colour vision, and show on a light and on a dark background;
`tests/dashboard/test_palette.py` measures both. A model that is not in the table has the colour of its family, so its
colour never changes.
"""

import re

NONE = "#8e8e8e"
"""Cost that belongs to no model."""
OTHER = "#695aff"
"""A model of a family that is not in the table."""

MODELS = {
    "claude-opus-5-5": "#3cc3ff",
    "claude-opus-5": "#5a96f0",
    "claude-sonnet-5-5": "#d2b41e",
    "claude-sonnet-5": "#c37800",
    "claude-haiku-4-5": "#965aa5",
}
FAMILIES = {"opus": "#3c2dd2", "sonnet": "#c3000f", "haiku": "#693c87", "mythos": "#960f4b"}

RULES = (
    *((rf"^{model}(-\d{{8}})?$", colour) for model, colour in MODELS.items()),
    *((rf"^claude-(.+-)?{family}(-.*)?$", colour) for family, colour in FAMILIES.items()),
    ("^none$", NONE),
    ("", OTHER),
)
"""Regular expressions (alike in Python and JavaScript) and colours: the first that is found in a name decides.

A model's id may end in the date of its release.
"""


def colour(model: str) -> str:
    """Return the colour of a model, as `#rrggbb`."""
    return next(colour for pattern, colour in RULES if re.search(pattern, model))
