"""Keeps the lists of reading order in `.importlinter` complete. Run by `make layers`; import-linter is the judge."""

import configparser
from graphlib import TopologicalSorter
from pathlib import Path

import grimp

from tests.laws.tree import PACKAGES, ROOT

SECTION = "importlinter:contract:order-of-"


def listed(text: str) -> dict[str, list[str]]:
    """The lists as they are written, highest module first, by dotted name of their folder."""
    parser = configparser.ConfigParser()
    parser.read_string(text)
    return {
        name.removeprefix(SECTION): parser[name]["layers"].split()
        for name in parser.sections()
        if name.startswith(SECTION)
    }


def folders(graph: grimp.ImportGraph) -> list[str]:
    """Every package of the tree that holds a module."""
    return sorted(name for name in graph.modules if name.split(".", 1)[0] in PACKAGES and graph.find_children(name))


def placed(graph: grimp.ImportGraph, folder: str, before: list[str]) -> list[str]:
    """The complete list of a folder: what stood there keeps its order, a new module goes just above its imports."""
    names = sorted(child.removeprefix(f"{folder}.") for child in graph.find_children(folder))
    below = {
        name: [
            other
            for other in names
            if other != name
            and graph.direct_import_exists(importer=f"{folder}.{name}", imported=f"{folder}.{other}", as_packages=True)
        ]
        for name in names
    }
    order = [name for name in before if name in names]
    for name in TopologicalSorter(below).static_order():
        if name not in order:
            order.insert(min((order.index(other) for other in below[name]), default=len(order)), name)
    return order


def rewritten(text: str, graph: grimp.ImportGraph) -> str:
    """The text of `.importlinter` with complete lists; everything above the first list is kept as it is.

    Raises graphlib.CycleError naming the modules of a folder that import each other in a circle.
    """
    before = listed(text)
    head = text.split(f"[{SECTION}", maxsplit=1)[0].rstrip("\n") + "\n"
    for folder in folders(graph):
        lines = "".join(f"    {name}\n" for name in placed(graph, folder, before.get(folder, [])))
        head += (
            f"\n[{SECTION}{folder}]\nname = Reading order of {folder}, highest first\ntype = layers\n"
            f"containers = {folder}\nexhaustive = true\nlayers =\n{lines}"
        )
    return head


def main(root: Path = ROOT) -> None:
    """Rewrite the lists of the tree at `root`."""
    file = root / ".importlinter"
    graph = grimp.build_graph(*PACKAGES, include_external_packages=False, cache_dir=None)
    file.write_text(rewritten(file.read_text("utf-8"), graph), "utf-8")


if __name__ == "__main__":
    main()
