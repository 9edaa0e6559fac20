"""The bytes of Bronze objects as lines of a source layout: one decoder for each form that an object can have."""
