"""Where orders go: one file per broker behind one port."""
