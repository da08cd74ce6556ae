"""What the project serves: authors, books and publishers."""
