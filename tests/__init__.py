"""The tests: one module per module of the package, and the laws of the tree in `laws/`."""
