"""What clients reach over HTTP."""
