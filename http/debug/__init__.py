"""``/debug/actors``: the live actor tree (contract, section 7)."""

from incident_manager.http.debug.page import asset, is_shell
from incident_manager.http.debug.restart import restart
from incident_manager.http.debug.views import actor, actors

__all__ = ["actor", "actors", "asset", "is_shell", "restart"]
