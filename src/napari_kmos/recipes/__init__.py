"""The steps as the user names them, on files: each writes its products and its record."""
