"""What a card is: a number with reasons. Nothing is fitted here.

A card is a document (JSON) that holds everything a score needs: characteristics with their attributes and integer
points, the profile that states the scale, the map from score to probability, reasons, provenance. Reading one needs
numpy and nothing else.

In: a card document, and a value for each of its characteristics.
Out: an integer score, a probability, a grade, points and reasons.
"""
