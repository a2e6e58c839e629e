"""The reports: where each is read, what a day of it is, and which samples are shown."""
