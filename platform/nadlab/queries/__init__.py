"""Queries: the counted ledger, random cells, neighbourhoods, path encodings."""
