"""serverlab: which server should run my Django project, answered with evidence."""

__version__ = "0.1.0"
