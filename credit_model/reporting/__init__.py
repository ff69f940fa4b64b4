"""The pages an evaluation is read on, in English and Chinese: one self-contained HTML file, one short Markdown.

In: scored rows, or an ``EvaluationReport``. Out: an ``EvaluationReport``, HTML, Markdown.
"""
