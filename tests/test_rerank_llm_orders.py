from rerank.labels import REASONS_SCHEMA, order_schema, whole_orders


def test_the_embedded_grammar_wants_every_label_of_an_order():
    asked = order_schema(("A", "B", "C"))
    wanted = whole_orders(asked)["properties"]["order"]
    assert (wanted["minItems"], wanted["maxItems"]) == (3, 3)
    assert "minItems" not in asked["properties"]["order"]


def test_lists_without_a_fixed_choice_keep_their_schema():
    assert whole_orders(REASONS_SCHEMA) == REASONS_SCHEMA
