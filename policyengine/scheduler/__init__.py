"""When scans run: schedules from assignments, fired once each, whatever restarts in between."""
