"""Pictures: plots that several chapters share, and figures with sliders."""
