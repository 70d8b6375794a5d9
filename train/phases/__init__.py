"""The parts of a campaign: child processes under one clock, their record, and what leaves."""

from __future__ import annotations
