"""Law: an order is constructed in one file, and only its noun and the folding of facts write a changed one."""

import ast
from pathlib import Path

from tests.laws.tree import PROGRAM, ROOT, Plant, called, last_word, obeyed, sources

CONSTRUCTS = {"rules/orders.py"}
REPLACES = {"state/order.py", "state/applying.py"}


def breaches(root: Path) -> list[str]:
    """Every `Order(...)` and every `replace(order, ...)` outside the files that own them."""
    found = []
    for source in sources(root, *PROGRAM):
        for node in ast.walk(source.tree):
            if called(node) == "Order" and source.path not in CONSTRUCTS:
                found.append(source.at(node, "constructs an Order"))
            if called(node) == "replace" and source.path not in REPLACES and of_an_order(node):
                found.append(source.at(node, "replaces fields of an order"))
    return found


def of_an_order(call: ast.AST) -> bool:
    """True when the first argument of the call is named after an order."""
    return isinstance(call, ast.Call) and bool(call.args) and "order" in last_word(call.args[0]).lower()


def test_an_order_is_constructed_in_one_file() -> None:
    """Only `rules/orders.py` makes orders, to open and to close alike."""
    obeyed(breaches(ROOT))


def test_the_law_of_orders_can_fail(plant: Plant) -> None:
    """A constructor and a replaced field are seen under every spelling; the owners are left in peace."""
    plant("rules/orders.py", "Order(1)\n")
    plant("state/order.py", "replace(order, phase=1)\n")
    plant("rules/exits.py", "Order(1)\norder.Order(2)\nreplace(position, x=1)\n")
    root = plant("oracle/loop.py", "msgspec.structs.replace(order, phase=1)\nreplace(self.entry_order, phase=1)\n")
    assert breaches(root) == [
        "oracle/loop.py:1: replaces fields of an order",
        "oracle/loop.py:2: replaces fields of an order",
        "rules/exits.py:1: constructs an Order",
        "rules/exits.py:2: constructs an Order",
    ]
