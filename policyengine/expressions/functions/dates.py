"""Instants as text. `utcNow()` reads the instant of the context, never a clock."""

from __future__ import annotations

import calendar
import re
from datetime import UTC, datetime, timedelta

from policyengine.errors import ExpressionError
from policyengine.expressions.context import ExpressionContext, Where
from policyengine.expressions.functions.base import INTEGER, NUMBER, RULE_ONLY, TEMPLATE_ONLY, TEXT, Calling, Function

ROUND_TRIP = "yyyy-MM-ddTHH:mm:ss.fffffffZ"
_TEMPLATE_DEFAULT = "yyyyMMddTHHmmssZ"

_STANDARD = {
    "o": ROUND_TRIP,
    "O": ROUND_TRIP,
    "s": "yyyy-MM-ddTHH:mm:ss",
    "u": "yyyy-MM-dd HH:mm:ssZ",
    "d": "M/d/yyyy",
}

_PIECE = re.compile(r"'[^']*'|\\.|yyyy|yy|MMMM|MMM|MM|M|dddd|ddd|dd|d|HH|H|hh|h|mm|m|ss|s|f{1,7}|tt|.", re.DOTALL)

_DURATION = re.compile(
    r"(?P<sign>-)?P(?:(?P<years>\d+)Y)?(?:(?P<months>\d+)M)?(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?",
    re.ASCII,
)


def utc_now(context: ExpressionContext, format: str | None = None) -> str:
    """The context's instant. Rules write it as ISO 8601 with seven decimals, templates compactly."""
    default = ROUND_TRIP if context.where is Where.RULE else _TEMPLATE_DEFAULT
    return format_instant(context.at, format or default)


def add_days(text: str, days: int | float) -> str:
    return format_instant(_shift(parse_instant(text), timedelta(days=days)), ROUND_TRIP)


def date_time_add(base: str, duration: str, format: str | None = None) -> str:
    """``base`` moved by an ISO 8601 duration, which may be negative."""
    match = _DURATION.fullmatch(duration)
    if match is None or duration.rstrip("T") in {"P", "-P"}:
        raise ExpressionError(f"`{duration}` is not an ISO 8601 duration", help="write `P1D`, `-PT30M`, `P1Y2M`")
    sign = -1 if match["sign"] else 1
    part = {name: float(value or 0) for name, value in match.groupdict().items() if name != "sign"}
    months = sign * int(12 * part.pop("years") + part.pop("months"))
    moved = _shift(_add_months(parse_instant(base), months), sign * timedelta(**part))
    return format_instant(moved, format or ROUND_TRIP)


def date_time_from_epoch(seconds: int) -> str:
    return format_instant(_shift(datetime(1970, 1, 1, tzinfo=UTC), timedelta(seconds=seconds)), "yyyy-MM-ddTHH:mm:ssZ")


def date_time_to_epoch(text: str) -> int:
    return int(parse_instant(text).timestamp())


def parse_instant(text: str) -> datetime:
    """An ISO 8601 text as an aware instant; without an offset it is UTC. Raises ExpressionError."""
    # Azure writes seven decimals where Python reads six.
    shortened = re.sub(r"(\.\d{6})\d+", r"\1", text.strip())
    try:
        instant = datetime.fromisoformat(shortened)
        return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    except ValueError as error:
        raise ExpressionError(f"`{text}` is not an ISO 8601 date") from error
    except OverflowError as error:
        raise ExpressionError(f"`{text}` leaves the calendar") from error


def format_instant(instant: datetime, pattern: str) -> str:
    """``instant`` by a .NET date format: the standard ``o``, ``s``, ``u``, ``d``, or a custom one."""
    expanded = _STANDARD.get(pattern, pattern)
    return "".join(_render(piece, instant) for piece in _PIECE.findall(expanded))


def _render(piece: str, instant: datetime) -> str:
    if piece[0] in "'\\":
        return piece[1:].removesuffix("'")
    if piece[0] == "f":
        return f"{instant.microsecond:06}0"[: len(piece)]
    known = {
        "yyyy": f"{instant.year:04}",
        "yy": f"{instant.year % 100:02}",
        "MMMM": calendar.month_name[instant.month],
        "MMM": calendar.month_abbr[instant.month],
        "MM": f"{instant.month:02}",
        "M": str(instant.month),
        "dddd": calendar.day_name[instant.weekday()],
        "ddd": calendar.day_abbr[instant.weekday()],
        "dd": f"{instant.day:02}",
        "d": str(instant.day),
        "HH": f"{instant.hour:02}",
        "H": str(instant.hour),
        "hh": f"{instant.hour % 12 or 12:02}",
        "h": str(instant.hour % 12 or 12),
        "mm": f"{instant.minute:02}",
        "m": str(instant.minute),
        "ss": f"{instant.second:02}",
        "s": str(instant.second),
        "tt": "AM" if instant.hour < 12 else "PM",
    }
    return known.get(piece, piece)


def _add_months(instant: datetime, months: int) -> datetime:
    year, month = divmod(instant.year * 12 + instant.month - 1 + months, 12)
    if not 1 <= year <= 9999:
        raise ExpressionError("the date leaves the calendar")
    day = min(instant.day, calendar.monthrange(year, month + 1)[1])
    return instant.replace(year=year, month=month + 1, day=day)


def _shift(instant: datetime, by: timedelta) -> datetime:
    try:
        return instant + by
    except OverflowError as error:
        raise ExpressionError("the date leaves the calendar") from error


DATES = (
    Function("utcNow", utc_now, optional=(TEXT,), calling=Calling.AWARE),
    Function("addDays", add_days, (TEXT, NUMBER), where=RULE_ONLY),
    Function("dateTimeAdd", date_time_add, (TEXT, TEXT), (TEXT,), where=TEMPLATE_ONLY),
    Function("dateTimeFromEpoch", date_time_from_epoch, (INTEGER,), where=TEMPLATE_ONLY),
    Function("dateTimeToEpoch", date_time_to_epoch, (TEXT,), where=TEMPLATE_ONLY),
)
