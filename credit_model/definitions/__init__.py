"""What a feature is, as data: which records, which aggregate, over which window, and what a greater value means.

A definition never holds code. It is written as TOML, checked against a catalogue, read out as a sentence, stored in a
card; the engine reads it, and the room of features carries it out.

In: TOML or keyword arguments; a catalogue.
Out: ``FeatureDefinition``, every fault at once, a sentence.
"""
