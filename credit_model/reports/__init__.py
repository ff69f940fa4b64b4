"""Pages made from evaluations: the report and the model card, in Chinese and English."""
