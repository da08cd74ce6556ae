"""What holds for every test."""

import signal

# A shell starts background jobs with Ctrl-C ignored, and so do schedulers; children inherit that. The tests about
# Ctrl-C send it to children and have to mean it, wherever they are started from.
signal.signal(signal.SIGINT, signal.default_int_handler)
