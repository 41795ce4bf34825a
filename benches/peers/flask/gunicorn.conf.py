"""Settings of gunicorn for app.py."""

import os

bind = f"127.0.0.1:{os.environ['BENCH_PORT']}"

# The store is in the memory of the process, so there can be only one. The sync worker closes
# each connection after its answer; gthread keeps it.
workers = 1
worker_class = "gthread"
threads = 8
keepalive = 5
worker_connections = 2000

accesslog = None
loglevel = "warning"
graceful_timeout = 3
# No one asks for the control interface, and its socket would lie in the home directory.
control_socket_disable = True
