"""How often the page is refreshed: the more requests a refresh needs, the less often. Pure: time comes in."""

from exporter.api.budget import MINUTE, STEADY_SHARE

NEVER = -float("inf")


class Pace:
    """The interval between refreshes, from the requests of the last one. Times are seconds of a monotonic clock."""

    def __init__(self, *, ttl: float, requests_per_minute: int) -> None:
        self.fresh_at = NEVER
        self.wanted = False
        self._ttl = ttl
        self._quarter = requests_per_minute * STEADY_SHARE
        self._began = NEVER
        self._requests = self._requests_now = 0

    @property
    def interval(self) -> float:
        """The age in seconds at which the page is refreshed."""
        return max(self._ttl, self._requests / self._quarter * MINUTE)

    @property
    def is_quick(self) -> bool:
        """Whether a refresh fits into the quarter of one minute, so that it ends while a scrape waits for it."""
        return self._requests <= max(1, self._quarter)

    def started(self, monotonic: float) -> None:
        """Note that a refresh of the page starts."""
        self._began, self._requests_now, self.wanted = monotonic, 0, False

    def sent(self, requests: int) -> None:
        """Count requests of this refresh. Those of the last one count until it is known how many this one needs."""
        self._requests_now += requests
        self._requests = max(self._requests, self._requests_now)

    def shown(self, monotonic: float) -> None:
        """Note that the recent days are on the page as this refresh has read them; the first time counts."""
        if self.fresh_at <= self._began:
            self.fresh_at = monotonic

    def ended(self) -> None:
        """Note that this refresh has sent all its requests."""
        self._requests = self._requests_now

    def scraped(self, monotonic: float) -> None:
        """Note a scrape, which wants a refresh when the page is older than its time to live."""
        if monotonic - max(self._began, self._since()) >= self._ttl:
            self.wanted = True

    def is_fresh(self, monotonic: float) -> bool:
        """Return whether the page is younger than the interval."""
        return monotonic - self._since() < self.interval

    def _since(self) -> float:
        """Return from when the age counts: where requests are spread over the interval, from when they began."""
        return self._began if self.interval > self._ttl else self.fresh_at
