"""Addresses under /lab/ at which things go wrong, present only when the lab switches them on."""

from django.urls import path

from lab import echo, faults, ledger

urlpatterns = [
    path("ledger/", ledger.entries),
    path("ledger/<uuid:key>", ledger.entry),
    path("echoes", echo.echoes),
    path("sleep", faults.sleep),
    path("spin", faults.spin),
    path("block", faults.block),
    path("gil", faults.gil),
    path("leak", faults.leak),
    path("exit", faults.leave),
    path("segfault", faults.segfault),
    path("dead", faults.dead),
    path("error", faults.error),
    path("big", faults.big),
]
