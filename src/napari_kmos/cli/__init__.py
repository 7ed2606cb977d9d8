"""The command line: one small module a command, a thin face over the recipes."""
