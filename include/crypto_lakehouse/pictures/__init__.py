"""Pictures of what the lake holds: for a terminal, as a page, as an image; nothing in them comes from elsewhere."""
