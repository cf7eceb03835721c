"""The collection. Every function is a text of its own: it may use nothing of its file. Bounds of all: [0, 1]."""
