"""Everything that needs a window: reader, writer, docks. Nothing above the line of science imports this."""
