"""Figures, tables and the HTML page, made from finished numbers."""
