"""How fast the lab itself is: ``python -m benchmarks.NAME``, or ``make bench-lab`` for all of them."""
