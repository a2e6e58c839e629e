"""What the descriptions of several panels say: where a number comes from and what it leaves out."""

PEOPLE = {"user": "People", "api_key": "API keys"}
"""How the two known actor types are shown; any other is shown as the API names it."""
CHANGES = {"added": "Added", "removed": "Removed"}
REPORTS = {"claude_code": "Claude Code", "cost": "Cost", "claude_code_cost": "Cost by user", "messages": "API tokens"}
TOOLS = {
    "edit_tool": "Edit",
    "multi_edit_tool": "Multi-edit",
    "write_tool": "Write",
    "notebook_edit_tool": "Notebook edit",
}
BILLED_TOKENS = {
    "uncached_input_tokens": "Input",
    "output_tokens": "Output",
    "cache_read_input_tokens": "Cache reads",
    "cache_creation.ephemeral_5m_input_tokens": "Cache writes, 5 minutes",
    "cache_creation.ephemeral_1h_input_tokens": "Cache writes, 1 hour",
    "none": "Not tokens",
}
SERVICES = {
    "tokens": "Tokens",
    "web_search": "Web search",
    "code_execution": "Code execution",
    "session_usage": "Session usage",
    "none": "Not named",
}
"""How the values of these labels are shown; any other is shown as the API names it."""

CLAUDE_CODE = (
    "Source: the Claude Code usage report. It lags about one hour, and leaves out use through Bedrock, Google Cloud, "
    "Foundry and Claude Platform on AWS, and claude.ai Enterprise."
)
BILLED = (
    "Source: the cost report, in US dollars before credits. It covers the whole organisation, not Claude Code alone, "
    "and leaves out Priority Tier."
)
API_TOKENS = (
    "Source: the usage report on messages. It counts every API key, the Workbench and OAuth, Claude Code among them: "
    "never add it to Claude Code's tokens."
)
ESTIMATED = "Estimated at list price by the Claude Code usage report; it is not the bill."
ANY_PART = "A UTC day counts when any part of it lies in the chosen range."
WHOLE = "whole window"
WHOLE_WINDOW = "Over the exporter's whole window (90 days by default), whatever the time picker says"
EXPORTER = "Source: the exporter itself."
