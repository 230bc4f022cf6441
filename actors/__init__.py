"""State and messaging: the incident registry, the journal, the hub and its subscriptions.

Nothing here knows GraphQL or the wire: what a subscription looks like comes in through
the :class:`~incident_manager.actors.ports.Projector` port, and how bytes leave through the
:class:`~incident_manager.actors.ports.Sink` port.
"""
