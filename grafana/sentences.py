"""Tables of sentences about the numbers: what is missing or wrong, the worst first."""

from grafana.panels import Grid, Panel, override, table_query
from grafana.transforms import one_row_each
from grafana.words import EXPORTER

GOOD, INCOMPLETE, WRONG = 0, 1, 2


def sentence(vector: str, text: str, state: int, label: str = "") -> str:
    """Return a vector with `text` in the label `problem` where `vector` has a sample, and `state` as its value.

    In the text `${1}` is the value of `label`.
    """
    with_text = f'label_replace({vector}, "problem", "{text}", "{label}", "(.*)")'
    return f"max by (problem, instance) ({with_text}) * 0 + {state}"


def sentences_table(title: str, meaning: str, at: Grid, *sentences: str) -> Panel:
    """Return the table of the sentences that hold."""
    look = {
        "0": {"index": 0, "text": "Good", "color": "green"},
        "1": {"index": 1, "text": "Incomplete", "color": "orange"},
        "2": {"index": 2, "text": "Look here", "color": "red"},
    }
    state = override(
        "State",
        mappings=[{"type": "value", "options": look}],
        custom__cellOptions={"type": "color-text"},
        custom__width=110,
    )
    return Panel(
        kind="table",
        title=title,
        description=f"{meaning} {EXPORTER}",
        at=at,
        targets=[table_query(" or ".join(sentences))],
        steps=one_row_each({"Value": "State", "problem": "What is known", "instance": "Exporter"}, sort="State"),
        options={"showHeader": False, "cellHeight": "sm", "frameIndex": 0},
        defaults={"unit": "none", "custom": {"align": "left"}},
        overrides=[state, override("Exporter", custom__width=300)],
    )
