"""The JSON API's own ground: errors, bodies, preconditions, limits, and what documents it.

Its addresses are in ``urls_api``, its views in ``views.api``. Each operation is described where it
is defined (``operations.operation``); routes, checks of what is asked, and the OpenAPI document
all come from that one description.
"""
