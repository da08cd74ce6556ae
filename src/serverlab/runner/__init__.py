"""One experiment from start to stop; saves after every trial."""

from serverlab.runner.run import Lab, resume_run, start_run

__all__ = ["Lab", "resume_run", "start_run"]
