"""From rows to a card: binning, logistic regression, boosted shapes, calibration; and a challenger."""
