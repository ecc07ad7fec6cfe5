"""Compiles SQLAlchemy statements once, and runs them on the driver's own cursor.

For statements on single rows that takes a third of the time of SQLAlchemy's own execution (ADR 12). It reads
parts of a compiled statement that are not documented, for which pyproject.toml bounds the version.
"""

import hashlib
from collections import namedtuple
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Dialect, Executable, Update
from sqlalchemy.types import TypeEngine

Change = tuple[Update, Mapping[str, Any]]
"""A statement that changes rows, and the values of its parameters."""


class _Compiled:
    """A statement as text for the driver, with the conversions of its values and of its rows."""

    def __init__(self, statement: Any, dialect: Dialect, names: list[str]) -> None:
        options = {"render_postcompile": True}  # each member of a list gets a placeholder of its own
        compiled: Any = statement.compile(dialect=dialect, column_keys=names, compile_kwargs=options)
        self.text: str = compiled.string
        self._order: list[str] | None = compiled.positiontup
        self._literals = {name: value for name, value in compiled.params.items() if name not in names}
        self._writers = [
            (name, convert)
            for name, bind in compiled.binds.items()
            if name in compiled.params and (convert := _of(bind, dialect).bind_processor(dialect)) is not None
        ]
        columns = statement.exported_columns
        self._readers = [
            (place, convert)
            for place, column in enumerate(columns)
            if (convert := _of(column, dialect).result_processor(dialect, None)) is not None
        ]
        self._make_row = _row_of(tuple(columns.keys()))._make

    def arguments(self, values: Mapping[str, Any]) -> Any:
        """`values`, with the constants of the statement, in the form and order that the driver wants."""
        given = {**self._literals, **values}
        for name, convert in self._writers:
            given[name] = convert(given[name])
        return given if self._order is None else [given[name] for name in self._order]

    def row(self, values: Sequence[Any]) -> Any:
        """A row of the driver's as a named tuple of converted values."""
        converted = list(values)
        for position, convert in self._readers:
            converted[position] = convert(converted[position])
        return self._make_row(converted)


def _of(element: Any, dialect: Dialect) -> TypeEngine[Any]:
    """The type of a column or placeholder in this dialect."""
    kind: TypeEngine[Any] = element.type
    return kind.dialect_impl(dialect)


@lru_cache(maxsize=64)
def _row_of(names: tuple[str, ...]) -> Any:
    """A class of named tuples."""
    return namedtuple("Row", names, rename=True)


def _number_of(name: str) -> int:
    """A number of 64 bits, as PostgreSQL knows its advisory locks by. Two names hardly ever have the same."""
    return int.from_bytes(hashlib.sha256(name.encode("utf-8")).digest()[:8], signed=True)


class CompiledStatements:
    """A cache of compiled statements for one database. A statement that is garbage leaves it."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self._compiled: WeakKeyDictionary[Executable, _Compiled] = WeakKeyDictionary()

    def __len__(self) -> int:
        return len(self._compiled)

    def compile_once(self, statement: Executable, values: Mapping[str, Any]) -> _Compiled:
        """The compiled statement. The names of `values` must be the same whenever it is run."""
        compiled = self._compiled.get(statement)
        if compiled is None:
            compiled = self._compiled[statement] = _Compiled(statement, self.dialect, list(values))
        return compiled


class DatabaseConnection:
    """Runs statements of SQLAlchemy on the driver's connection, with a value for each of their parameters."""

    def __init__(self, connection: Any, cursor: Any, compiled: CompiledStatements, begin: str) -> None:
        """`cursor` runs the statements, and `begin` is the text that begins a transaction."""
        self._connection = connection
        self._begin = begin
        self._cursor = cursor
        self._compiled = compiled
        self.was_told_to_commit = False

    @property
    def kind(self) -> str:
        """The name of the dialect: `sqlite` or `postgresql`."""
        return self._compiled.dialect.name

    def rows(self, statement: Executable, **values: Any) -> list[Any]:
        """All rows, as named tuples with the names of the columns."""
        compiled = self._compiled.compile_once(statement, values)
        self._execute(compiled, values)
        return [compiled.row(row) for row in self._cursor.fetchall()]

    def first(self, statement: Executable, **values: Any) -> Any | None:
        """The first row; None where there is none."""
        rows = self.rows(statement, **values)
        return rows[0] if rows else None

    def change(self, statement: Executable, **values: Any) -> int:
        """Runs a statement; returns how many rows it has inserted, updated or deleted.

        Raises TypeError where the driver does not count them, as that of SQLite after WITH: such a statement
        has to return its rows.
        """
        self._execute(self._compiled.compile_once(statement, values), values)
        count = int(self._cursor.rowcount)
        if count < 0:
            raise TypeError("the driver does not count the rows of this statement")
        return count

    def begin(self, after: str | None = None) -> None:
        """Begins a transaction, when no other `after` the same name is under way.

        Transactions of SQLite, which has one writer, have queued before they begin.
        """
        if after is None or self.kind == "sqlite":
            self.run(self._begin)
        else:
            # In one round trip with BEGIN, which is text alone: PostgreSQL takes no parameters there.
            self.run(f"{self._begin}; SELECT pg_advisory_xact_lock({_number_of(after)})")

    def run(self, text: str) -> None:
        self._cursor.execute(text)

    def commit(self) -> None:
        self.was_told_to_commit = True
        self._connection.commit()

    def _execute(self, compiled: _Compiled, values: Mapping[str, Any]) -> None:
        self._cursor.execute(compiled.text, compiled.arguments(values))
