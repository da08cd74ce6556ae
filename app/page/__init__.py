"""The page on which people try the application: its files, served by Django itself."""
