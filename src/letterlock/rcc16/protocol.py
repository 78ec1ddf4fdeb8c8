"""`rcc16` behind the seam."""
