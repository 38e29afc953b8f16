"""How sure is a figure, and what do the figures say? Pure functions over arrays, one file each.

Nothing here reads a store or knows a task: what goes in are numbers, what comes out is an estimate
with its limits or the reason why there are none.
"""
