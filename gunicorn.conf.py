"""gunicorn's settings: two workers of eight threads on loopback; nothing opened in the home."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dashboard.settings")

import django
from django.db import connections

from dashboard import settings

if TYPE_CHECKING:
    from gunicorn.arbiter import Arbiter

wsgi_app = "dashboard.wsgi:application"
_host = f"[{settings.BIND_ADDRESS}]" if ":" in settings.BIND_ADDRESS else settings.BIND_ADDRESS
bind = f"{_host}:{settings.PORT}"
workers = 2
worker_class = "dashboard.serving.worker.BoundedWorker"
threads = 8
timeout = 60
graceful_timeout = 10
keepalive = 5
max_requests = 5000
max_requests_jitter = 500
umask = 0o077
# Version 27 opens a control socket in the home directory unless told not to.
control_socket_disable = True
# The workers' heartbeat file must not wait for a disk.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None
# gunicorn would believe forwarding headers from loopback; ProxyMiddleware decides that alone.
forwarded_allow_ips = ""
# WSGI hands A_B on under the name of A-B, which must not pass for a header that names a person.
header_map = "drop"
certfile = None if settings.TLS_CERTIFICATE is None else str(settings.TLS_CERTIFICATE)
keyfile = None if settings.TLS_KEY is None else str(settings.TLS_KEY)
logconfig_dict = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"request_id": {"()": "dashboard.logs.RequestIdFilter"}},
    "formatters": {"line": {"()": "dashboard.logs.LineFormatter"}},
    "handlers": {
        "line": {
            "class": "logging.StreamHandler",
            "formatter": "line",
            "filters": ["request_id"],
        }
    },
    "root": {"level": "INFO", "handlers": ["line"]},
    "loggers": {
        "gunicorn.error": {"level": "INFO", "handlers": ["line"], "propagate": False},
        # Off: it would write down query strings, and so searches and the setup token.
        "gunicorn.access": {"level": "CRITICAL", "handlers": [], "propagate": False},
    },
}


def on_starting(server: Arbiter) -> None:
    """Refuse to listen beyond loopback without accounts, host names and TLS.

    ``manage.py serve`` has asked the same; this is for a gunicorn that was started by hand,
    maybe with another ``--bind``.
    """
    django.setup()
    from dashboard.serving import exposure, preparation

    if not preparation.is_migrated():
        sys.exit("the database is not prepared: run manage.py migrate, or use manage.py serve")
    for address in server.cfg.address:
        host = address[0] if isinstance(address, tuple) else "127.0.0.1"
        missing = exposure.missing_for(host)
        if missing:
            sys.exit(f"refusing to serve on {host}; missing:\n  - " + "\n  - ".join(missing))
    connections.close_all()
