"""One person on one day: score, grade, reasons, and the statutory status beside them."""
