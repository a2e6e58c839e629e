"""Tokens of the whole API: by model, workspace, service tier and API key, and what the prompt cache saves."""

from collections.abc import Sequence

from grafana.panels import (
    BLUE,
    BY_ORDER,
    GREEN,
    MODEL_COLOUR,
    MONEY,
    PLAIN,
    SHARE,
    TOKENS,
    Grid,
    Panel,
    bars,
    chart_options,
    fixed,
    lines,
    model_colours,
    only,
    override,
    stat_options,
    table_query,
    unseen,
    value_query,
)
from grafana.promql import MODEL, SCALE, by_name, daily, known, ratio, stacked, total
from grafana.sentences import GOOD, INCOMPLETE, sentence, sentences_table
from grafana.transforms import Json, one_row_each, single_day_series, stacked_matrix
from grafana.words import ANY_PART, API_TOKENS, WHOLE, WHOLE_WINDOW

_COST, _TOKENS, _KEYS = "anthropic_cost_usd", "anthropic_tokens", "anthropic_api_key_tokens"
_REPORT = 'report="messages"'
_INPUT, _READ = 'token_type!="output_tokens"', 'token_type="cache_read_input_tokens"'
_UNCACHED, _CACHED = 'token_type="uncached_input_tokens"', 'token_type=~"cache_.+"'
_MOST = 20


def api_tokens(y: int) -> list[Panel]:
    """Return the panels, placed from the row `y` on."""
    return [
        _what_is_known(Grid(0, y, 24, 3)),
        _by_model(Grid(0, y + 3, 17, 9)),
        _share(Grid(17, y + 3, 7, 4)),
        _saved(Grid(17, y + 7, 7, 5)),
        _by_workspace(Grid(0, y + 12, 12, 8)),
        _by_tier(Grid(12, y + 12, 12, 8)),
        _share_over_time(Grid(0, y + 20, 12, 11)),
        _by_key(Grid(12, y + 20, 12, 11)),
    ]


def _what_is_known(at: Grid) -> Panel:
    read = known("anthropic_report_coverage_ratio", _REPORT)
    refused = f"{known('anthropic_up', _REPORT)} == 0 unless on (job, instance) {read}"
    complete = f"vector(1) and on () (min({read}) == 1) unless on () ({refused})"
    return sentences_table(
        "What is known of API tokens",
        "Whether the report on the tokens of the whole API was read. Some keys may not read it; that is no failure.",
        at,
        sentence(complete, "Every day of the window was read.", GOOD),
        sentence(f"{read} < 1", "Not every day of the window was read yet: sums are too low.", INCOMPLETE),
        sentence(f"({refused})", "The key may not read this report: its tokens are not known.", INCOMPLETE),
    )


def _by_model(at: Grid) -> Panel:
    look = {"color": MODEL_COLOUR, "links": only("model", "__field.name")}
    of = "UTC day and model, of the chosen models"
    return _stacked(
        "API tokens by model",
        of,
        "model",
        daily(known(_TOKENS, MODEL), "model"),
        at,
        look,
        model_colours(),
        totals=True,
    )


def _by_workspace(at: Grid) -> Panel:
    tokens = daily(by_name("workspace", "anthropic_workspace_tokens", chosen="workspace"), "workspace_name")
    look = {"color": BY_ORDER, "links": only("workspace", "__field.name")}
    of = "UTC day and workspace, of all models; a workspace whose name is not known goes by its id"
    return _stacked("API tokens by workspace", of, "workspace_name", tokens, at, look)


def _by_tier(at: Grid) -> Panel:
    tokens = daily(known("anthropic_service_tier_tokens"), "service_tier")
    of = "UTC day and service tier, of all models"
    return _stacked("API tokens by service tier", of, "service_tier", tokens, at, {"color": BY_ORDER})


def _stacked(  # noqa: PLR0913 - what differs between three charts
    title: str,
    of: str,
    label: str,
    tokens: str,
    at: Grid,
    look: Json,
    overrides: Sequence[Json] = (),
    *,
    totals: bool = False,
) -> Panel:
    return Panel(
        kind="timeseries",
        title=title,
        description=f"Tokens of the whole API, cache reads among them, by {of}. {API_TOKENS}",
        at=at,
        targets=[table_query(stacked(tokens, label))],
        steps=stacked_matrix(label),
        options=chart_options(sums=True, totals=totals),
        defaults={**TOKENS, "custom": bars(), **look},
        overrides=[*overrides, unseen(SCALE)],
    )


def _share(at: Grid) -> Panel:
    share = ratio(total(known(_TOKENS, MODEL, _READ)), total(known(_TOKENS, MODEL, _INPUT)))
    return Panel(
        kind="stat",
        title="Cache-read share of API tokens",
        description="Of the input tokens of the chosen models and days, the share that was read from the prompt cache. "
        f"{ANY_PART} {API_TOKENS}",
        at=at,
        targets=[value_query(share, "Cache reads")],
        options=stat_options(text="value", size=36),
        defaults={**SHARE, "color": PLAIN},
    )


def _saved(at: Grid) -> Panel:
    return Panel(
        kind="stat",
        title="Saved by caching",
        description="What the cached tokens of the chosen models and days would have cost as uncached input, less what "
        "cache reads and writes did cost. Below zero, writes were not read often enough to pay. A model's price is "
        "what its uncached input cost in these days divided by its tokens. A model without a price is left out, and a "
        "day of which only one of the two reports was read. Priority Tier is not on the bill, so its tokens make "
        "the price too low. "
        f"{ANY_PART} {API_TOKENS}",
        at=at,
        targets=[value_query(_saved_dollars(), "Saved")],
        options=stat_options(text="value", size=36),
        defaults={**MONEY, "color": PLAIN},
    )


def _saved_dollars() -> str:
    """Return the dollars saved, with no sample where no model has a price.

    Prices are those of an exporter: organisations have different contracts. The price of a single day would be noise,
    or missing, where the day has little uncached input.
    """
    labels = ("job", "instance", "model")
    day = "on (job, instance, date)"
    billed = 'cost_type="tokens"'

    def tokens(kind: str) -> str:
        return total(f"({known(_TOKENS, MODEL, kind)} and {day} {known(_COST)})", *labels)

    def cost(kind: str) -> str:
        return total(f"({known(_COST, MODEL, billed, kind)} and {day} {known('anthropic_web_searches')})", *labels)

    price = f"(({cost(_UNCACHED)} > 0) / ({tokens(_UNCACHED)} > 0))"
    return f"sum({tokens(_CACHED)} * {price} - ({cost(_CACHED)} or 0 * {price}))"


def _share_over_time(at: Grid) -> Panel:
    read, prompt = (daily(known(_TOKENS, MODEL, kind)) for kind in (_READ, _INPUT))
    return Panel(
        kind="timeseries",
        title="Cache-read share of API tokens over time",
        description="Of the input tokens of the chosen models on a UTC day, the share that was read from the prompt "
        f"cache; no share on a day without input. {API_TOKENS}",
        at=at,
        targets=[table_query(ratio(read, prompt))],
        steps=single_day_series("Cache-read share"),
        options=chart_options(),
        defaults={**SHARE, "color": fixed(GREEN), "custom": lines()},
    )


def _by_key(at: Grid) -> Panel:
    keys = ("api_key_id", "api_key_name")

    def tokens(*matchers: str) -> str:
        return f"sum by ({', '.join(keys)}) ({by_name('api_key', _KEYS, MODEL, *matchers)})"

    most = f"topk({_MOST}, {tokens()})"
    columns = {
        "Tokens": most,
        "Share": f"{most} / scalar(sum({known(_KEYS, MODEL)}) > 0)",
        "Cache-read share": f"{ratio(tokens(_READ), tokens(_INPUT))} and on ({', '.join(keys)}) {most}",
    }
    fields = {f"Value #{ref}": title for ref, title in zip("ABC", columns, strict=True)}
    bar = {"type": "gauge", "mode": "basic", "valueDisplayMode": "text"}
    return Panel(
        kind="table",
        title=f"API tokens by key ({WHOLE})",
        description=f"{WHOLE_WINDOW}: the exporter keeps no dates per key. The {_MOST} keys with the most tokens of "
        f"the chosen models, and their share of all keys' tokens. `none` is the Workbench and OAuth. {API_TOKENS}",
        at=at,
        targets=[table_query(query, ref) for ref, query in zip("ABC", columns.values(), strict=True)],
        steps=one_row_each({"api_key_name": "API key", "api_key_id": "Id", **fields}, sort="Tokens"),
        options={"showHeader": True, "cellHeight": "sm", "frameIndex": 0},
        defaults={"unit": "none", "custom": {"align": "auto"}},
        overrides=[
            override("Tokens", **TOKENS, custom__width=90),
            override("Share", **SHARE, color=fixed(BLUE), custom__cellOptions=bar, custom__minWidth=130),
            override("Cache-read share", **SHARE, custom__width=130),
        ],
    )
