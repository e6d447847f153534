"""The laws of the tree: each is one small file whose companion test shows that the law can fail."""
