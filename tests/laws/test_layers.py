"""Law: the lists of reading order are what `make layers` would write, so that no folder is left without a list."""

import textwrap

import grimp

from tests.laws import layers
from tests.laws.tree import PACKAGES, ROOT

LIST = textwrap.dedent("""\
    [importlinter]
    root_packages =
        state

    [importlinter:contract:order-of-state]
    name = Reading order of state, highest first
    type = layers
    containers = state
    exhaustive = true
    layers =
        order
        vanished
        money
    """)


def graph_of(*pairs: tuple[str, str]) -> grimp.ImportGraph:
    """An import graph with the modules of `pairs` (importer, imported) and their packages."""
    graph = grimp.ImportGraph()
    for importer, imported in pairs:
        for module in (importer, imported):
            for depth in range(module.count(".") + 1):
                graph.add_module(module.rsplit(".", depth)[0])
        graph.add_import(importer=importer, imported=imported)
    return graph


def test_every_folder_has_a_complete_list() -> None:
    """Rewriting the lists changes nothing; if it does, run `make layers` and read what it wrote."""
    text = (ROOT / ".importlinter").read_text("utf-8")
    graph = grimp.build_graph(*PACKAGES, include_external_packages=False, cache_dir=None)
    assert layers.rewritten(text, graph) == text


def test_the_law_of_lists_can_fail() -> None:
    """A new module is put above what it imports, a vanished one is dropped, and the order of the others stays."""
    graph = graph_of(("state.order", "state.money"), ("state.fill", "state.money"), ("state.order", "state.fill"))
    assert layers.listed(layers.rewritten(LIST, graph)) == {"state": ["order", "fill", "money"]}


def test_a_module_in_the_wrong_place_is_not_moved() -> None:
    """The tool never repairs an order that an import contradicts: that is left to the contract and its author."""
    graph = graph_of(("state.money", "state.order"))
    assert layers.listed(layers.rewritten(LIST, graph)) == {"state": ["order", "money"]}


def test_a_new_folder_gets_its_own_list() -> None:
    """A package inside a folder is one line there and has a list of its own."""
    graph = graph_of(("state.order", "state.money"), ("state.book.columns", "state.money"))
    assert layers.listed(layers.rewritten(LIST, graph)) == {
        "state": ["order", "book", "money"],
        "state.book": ["columns"],
    }


def test_the_written_head_is_kept() -> None:
    """Everything above the first list is kept byte for byte."""
    graph = graph_of(("state.order", "state.money"))
    head = LIST.split("[importlinter:contract:order-of")[0]
    assert layers.rewritten(LIST, graph).startswith(head)
