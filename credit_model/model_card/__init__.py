"""The page of a registered version: what it is for and not for, what it was found to be, who answers for it.

In: a :class:`ModelCard`, everything the page says as plain values. Out: Markdown, in Chinese, English or both.
"""
