"""The care of a lake: find damage, mend it from another layer, and remove what nobody needs any more."""
