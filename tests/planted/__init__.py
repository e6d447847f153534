"""Bugs put into the program one at a time, to see that its storms, laws and properties find each of them."""
