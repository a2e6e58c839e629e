"""How many SQL statements a store runs."""

from exporter.days.store import Store


class Statements:
    """Counts the statements of a store from now on. SQLite prints each with its values for this: not for production."""

    def __init__(self, store: Store) -> None:
        self.number = 0
        store._db.set_trace_callback(self._count)

    def _count(self, _: str) -> None:
        self.number += 1
