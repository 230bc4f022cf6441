"""``python -m incident_manager`` is the ``incident-manager`` command."""

from incident_manager.http.cli import main

if __name__ == "__main__":
    main()
