"""Pages, images and text that show what the lake holds; they load nothing from elsewhere."""
