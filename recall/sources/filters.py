"""A source's filter: a small expression over its columns, the same on every engine.

    country in ['NL', 'BE'] and stars >= 1 and not (kind == 'test')

Names are columns; a name that is no identifier is written col('Name of it'). A column compared with a number
is read as one. `and`, `or`, `not`, comparisons, `in`, `not in`, `is None`, `is not None`, numbers, texts
and lists of them; nothing else, and nothing of it is ever run as code.
"""

from __future__ import annotations

import ast
from functools import reduce
from operator import and_, eq, ge, gt, le, lt, ne, or_
from typing import Any

from recall.errors import ConfigError

_COMPARE: dict[type[ast.cmpop], Any] = {
    ast.Eq: eq,
    ast.NotEq: ne,
    ast.Lt: lt,
    ast.LtE: le,
    ast.Gt: gt,
    ast.GtE: ge,
}


def filter_expression(text: str, table: Any) -> Any:
    """An Ibis boolean over `table`; ConfigError says what in `text` is not understood."""
    return _condition(_parse(text), table, text)


def filter_columns(text: str) -> list[str]:
    """The columns that a filter names."""
    found = []
    for node in ast.walk(_parse(text)):
        if isinstance(node, ast.Name) and node.id != "col":
            found.append(node.id)
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            found.append(str(node.args[0].value))
    return found


def _parse(text: str) -> ast.expr:
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError) as error:
        raise ConfigError(f"filter {text!r}: {error}") from error


def _condition(node: ast.expr, table: Any, text: str) -> Any:
    if isinstance(node, ast.BoolOp):
        parts = [_condition(value, table, text) for value in node.values]
        return reduce(and_ if isinstance(node.op, ast.And) else or_, parts)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return ~_condition(node.operand, table, text)
    if isinstance(node, ast.Compare):
        sides = [node.left, *node.comparators]
        pairs = zip(sides, node.ops, sides[1:], strict=False)
        return reduce(and_, [_comparison(left, op, right, table, text) for left, op, right in pairs])
    raise _refuse(node, text)


def _comparison(left: ast.expr, op: ast.cmpop, right: ast.expr, table: Any, text: str) -> Any:
    if isinstance(op, ast.In | ast.NotIn):
        values = _constants(right, text)
        column = _cast(_column(left, table, text), values)
        return column.isin(values) if isinstance(op, ast.In) else ~column.isin(values)
    if isinstance(op, ast.Is | ast.IsNot):
        if not (isinstance(right, ast.Constant) and right.value is None):
            raise _refuse(right, text)
        column = _column(left, table, text)
        return column.isnull() if isinstance(op, ast.Is) else column.notnull()
    if _is_column(left) and _is_column(right):
        return _COMPARE[type(op)](_column(left, table, text), _column(right, table, text))
    if _is_column(left):
        value = _constants(right, text)[0]
        return _COMPARE[type(op)](_cast(_column(left, table, text), [value]), value)
    value = _constants(left, text)[0]
    return _COMPARE[type(op)](value, _cast(_column(right, table, text), [value]))


def _is_column(node: ast.expr) -> bool:
    return isinstance(node, ast.Name | ast.Call)


def _column(node: ast.expr, table: Any, text: str) -> Any:
    if isinstance(node, ast.Name):
        name = node.id
    elif (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "col"
        and len(node.args) == 1
        and not node.keywords
        and isinstance(node.args[0], ast.Constant)
    ):
        name = str(node.args[0].value)
    else:
        raise _refuse(node, text)
    if name not in table.columns:
        known = [column for column in table.columns if not column.startswith("w_")]
        raise ConfigError(f"filter {text!r}: no column {name!r}; found {', '.join(known)}")
    column = table[name]
    return column.strip() if column.type().is_string() else column


def _cast(column: Any, values: list[Any]) -> Any:
    """Text columns are read as numbers where they are compared with numbers."""
    numeric = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    return column.try_cast("float64") if numeric and column.type().is_string() else column


def _constants(node: ast.expr, text: str) -> list[Any]:
    nodes = node.elts if isinstance(node, ast.List | ast.Tuple | ast.Set) else [node]
    values = []
    for part in nodes:
        sign = -1 if isinstance(part, ast.UnaryOp) and isinstance(part.op, ast.USub) else 1
        inner = part.operand if isinstance(part, ast.UnaryOp) and sign < 0 else part
        if not (isinstance(inner, ast.Constant) and isinstance(inner.value, str | int | float | bool)):
            raise _refuse(part, text)
        values.append(-inner.value if sign < 0 and not isinstance(inner.value, str) else inner.value)
    return values


def _refuse(node: ast.AST, text: str) -> ConfigError:
    return ConfigError(
        f"filter {text!r}: {ast.unparse(node)!r} is not understood; use columns, texts, numbers, "
        "comparisons, in, is None, and, or, not"
    )
