"""Features as of a date: definitions, the kernel that computes them, the records behind a value; local and on Spark."""
