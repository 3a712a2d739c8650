from rerank.labels import REASONS_SCHEMA, order_schema, whole_orders


def test_the_embedded_grammar_wants_every_label_of_an_order():
    asked = order_schema(("A", "B", "C"))
    wanted = whole_orders(asked)["properties"]["order"]
    assert (wanted["minItems"], wanted["maxItems"]) == (3, 3)
    assert "minItems" not in asked["properties"]["order"]


def test_the_embedded_grammar_lets_a_reason_cite_a_few_labels_and_leaves_its_text_free():
    wanted = whole_orders(REASONS_SCHEMA)["properties"]["reasons"]["items"]["properties"]
    assert (wanted["cites"]["minItems"], wanted["cites"]["maxItems"]) == (1, 4)
    assert wanted["text"] == {"type": "string"}
    assert "minItems" not in REASONS_SCHEMA["properties"]["reasons"]["items"]["properties"]["cites"]
