import duckdb
from hypothesis import given
from hypothesis import strategies as st

from recall.ids import event_id, item_id, micro_units, person_id


def test_ids_differ_by_kind_and_by_where_the_parts_split():
    assert person_id("shop", "1")[1:] != item_id("shop", "1")[1:]
    assert person_id("shop", "12") != person_id("shop1", "2")


def test_ids_are_the_same_in_every_release():
    assert person_id("shop", "7") == "p7380caac67e9265ca9e5"
    assert item_id("shop", "7") == "i8c46fe208069b7085ecd"
    assert event_id("shop", "7", "a", "purchase", 1.5, 5) == "e5d155355a82d66651e933ae669ac49cf"


def test_sql_computes_the_same_event_id():
    micro = "CAST(CAST(round(1.5 * 1000000) AS BIGINT) AS VARCHAR)"
    text = f"concat_ws(chr(31), 'shop', '7', 'a', 'purchase', {micro}, '5')"
    assert duckdb.sql(f"SELECT 'e' || md5({text})").fetchall()[0][0] == event_id(
        "shop", "7", "a", "purchase", 1.5, 5
    )


@given(st.floats(min_value=-1e9, max_value=1e9, allow_nan=False))
def test_micro_units_round_as_sql_does(value):
    sql = duckdb.sql("SELECT CAST(round(? * 1000000) AS BIGINT)", params=[value]).fetchall()[0][0]
    assert micro_units(value) == sql
