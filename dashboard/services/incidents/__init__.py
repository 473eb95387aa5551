"""Incidents: spans of time that people marked, what happened in them, and taking that along."""
