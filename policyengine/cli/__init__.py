"""The command line: options in, tables out, one file per command."""
