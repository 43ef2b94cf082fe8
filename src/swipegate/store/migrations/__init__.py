"""From each revision of the schema to the next, with the data that is in it."""
