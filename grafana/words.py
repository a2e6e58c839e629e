"""What the descriptions of several panels say: where a number comes from and what it leaves out."""

PEOPLE = {"user": "People", "api_key": "API keys"}
"""How the two known actor types are shown; any other is shown as the API names it."""
CHANGES = {"added": "Added", "removed": "Removed"}
REPORTS = {"claude_code": "Claude Code", "cost": "Cost"}
"""How the labels `change` and `report` are shown."""

CLAUDE_CODE = (
    "Source: the Claude Code usage report. It lags about one hour, and leaves out use through Bedrock, Google Cloud, "
    "Foundry and Claude Platform on AWS, and claude.ai Enterprise."
)
BILLED = (
    "Source: the cost report, in US dollars before credits. It covers the whole organisation, not Claude Code alone, "
    "and leaves out Priority Tier."
)
ESTIMATED = "Estimated at list price by the Claude Code usage report; it is not the bill."
ANY_PART = "A UTC day counts when any part of it lies in the chosen range."
WHOLE_WINDOW = "Over the exporter's whole window (90 days by default), whatever the time picker says"
EXPORTER = "Source: the exporter itself."
