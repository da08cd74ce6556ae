"""Entries that the lab writes while it breaks things, and looks for afterwards."""

import json
import uuid

from django.db import IntegrityError, transaction
from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from config.errors import only_reads
from config.plainjson import json_view, refused
from lab.models import Entry, EntryChild

CHILDREN = 2


@csrf_exempt
def entries(request: HttpRequest) -> JsonResponse:
    """POST: write an entry (`_write`). GET: the key of the newest one, null when there is none."""
    return _newest(request) if request.method in {"GET", "HEAD"} else _write(request)


@only_reads
def entry(request: HttpRequest, key: uuid.UUID) -> JsonResponse:
    """Say how many rows there are under a key, and how many belong to them; 404 when there are none."""
    copies = Entry.objects.filter(key=key).count()
    if not copies:
        return JsonResponse({"detail": "No such entry."}, status=404)
    children = EntryChild.objects.filter(entry__key=key).count()
    return JsonResponse({"key": str(key), "copies": copies, "children": children})


def _newest(request: HttpRequest) -> JsonResponse:
    newest = Entry.objects.order_by("-id").values_list("key", flat=True).first()
    return JsonResponse({"newest": None if newest is None else str(newest)})


@json_view("POST")
def _write(request: HttpRequest) -> JsonResponse:
    """Write the entry `{"key": UUID}` with its children in one transaction: 201, and for a repeat the same with 200.

    With `?key=off` it is not guarded: what is sent twice is there twice.
    """
    guarded = request.GET.get("key", "on")
    if guarded not in {"on", "off"}:
        raise refused(400, "key must be on or off.")
    key = _key_of(request)
    status = 201 if _made(key, guarded=guarded == "on") else 200
    return JsonResponse({"key": str(key)}, status=status)


def _key_of(request: HttpRequest) -> uuid.UUID:
    try:
        content = json.loads(request.body)
        text = content["key"]
        key = uuid.UUID(text)
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        raise refused(400, 'Send {"key": "a UUID"}.') from None
    if str(key) != text:
        raise refused(400, "Write the UUID as 8-4-4-4-12 hexadecimal digits in lower case.")
    return key


def _made(key: uuid.UUID, *, guarded: bool) -> bool:
    """Return whether the entry is new; False for a repeat of a guarded one, which writes nothing."""
    try:
        with transaction.atomic():
            written = Entry.objects.create(key=key, guarded=guarded)
            EntryChild.objects.bulk_create([EntryChild(entry=written) for _ in range(CHILDREN)])
    except IntegrityError:
        if guarded and Entry.objects.filter(key=key, guarded=True).exists():
            return False
        raise
    return True
