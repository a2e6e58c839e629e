"""The days that were read: on disk, and in step with the sums and the page."""
