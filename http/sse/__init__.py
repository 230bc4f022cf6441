"""Subscriptions as server-sent events: ``/graphql/stream`` (graphql-sse, distinct connections)."""

from incident_manager.http.sse.door import event_stream
from incident_manager.http.sse.views import get, post

__all__ = ["PATH", "event_stream", "get", "post"]

PATH = "/graphql/stream"
"""Where GraphQL is streamed over HTTP (contract, section 1)."""
