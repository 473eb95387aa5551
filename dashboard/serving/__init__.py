"""Starting the console: what must be true before it serves, and the processes that serve it."""
