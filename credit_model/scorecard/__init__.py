"""The card, a JSON document: bins, points, scale, pairs, reasons; nothing here fits anything."""
