"""Alerts in the forms that other systems send them in."""
