"""Makes the proxy's package known."""

import tests.fault_proxy  # noqa: F401 - loads it
