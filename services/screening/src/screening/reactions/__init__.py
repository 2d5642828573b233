"""Heard facts that become commands of ours. Each is pure; hearing one twice changes nothing."""
