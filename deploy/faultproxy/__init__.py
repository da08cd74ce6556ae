"""A TCP proxy that does harm on demand, told over HTTP in toxiproxy's words and JSON; standard library only.

What differs from toxiproxy: a proxy tells its ``traffic``; ``cut_at`` is a toxic of ours; a half of a connection that
is closed is handed on as such; and it connects to addresses of private networks only.
"""
