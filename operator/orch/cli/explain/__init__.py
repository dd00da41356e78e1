"""`explain`: why is it not moving? Each gate in its order, with its verdict, since when, and who or what it waits for.

Pure but for `verb`, which reads the objects and prints. It repeats what the operator recorded, and decides nothing.
"""
