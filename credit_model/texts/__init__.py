"""The words of every page in Chinese and English, and the forms of numbers."""
