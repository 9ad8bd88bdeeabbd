"""
Where a wallet's document leads beyond the wallet: links that the floors above add to our pages.

They register when the project starts; nothing here knows who they are.
"""

from collections.abc import Callable
from dataclasses import dataclass

from wallet.models import JournalEntry, TopUp


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """
    A page about the same thing. text: what is to be said beside it, may be empty.
    """

    url: str
    label: str
    text: str = ""


_of_topups: list[Callable[[TopUp], Link | None]] = []
_of_entries: list[Callable[[JournalEntry], Link | None]] = []


def leads_from_topups(find: Callable[[TopUp], Link | None]) -> Callable[[TopUp], Link | None]:
    """
    Register who knows what a top-up is for.
    """
    _of_topups.append(find)
    return find


def leads_from_entries(
    find: Callable[[JournalEntry], Link | None],
) -> Callable[[JournalEntry], Link | None]:
    """
    Register who can explain an entry.
    """
    _of_entries.append(find)
    return find


def from_topup(topup: TopUp) -> Link | None:
    return next((link for find in _of_topups if (link := find(topup))), None)


def from_entry(entry: JournalEntry) -> Link | None:
    return next((link for find in _of_entries if (link := find(entry))), None)
