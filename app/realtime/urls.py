"""Addresses under /api/realtime/."""

from django.urls import path

from realtime.views import TicketView

urlpatterns = [path("ticket/", TicketView.as_view())]
