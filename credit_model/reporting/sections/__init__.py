"""The sections of the page that have a module of their own; each writes with the page's sheet and nothing else of it.

In: a sheet. Out: HTML, empty where the evaluation holds nothing of it.
"""
