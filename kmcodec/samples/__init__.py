"""Sample pictures for `kmcodec demo`; CREDITS.md says whose."""
