"""
What wallets should do, in plain Python: lots in lists, no database, no locks.

The state machine runs it beside the product and compares them after every step.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

EVER = datetime.max.replace(tzinfo=UTC)


class Refused(Exception):
    """
    The model expects the product to refuse with this code.
    """

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(eq=False)
class ModelLot:
    id: int
    kind: str
    granted: int
    remaining: int
    granted_at: datetime
    expires_at: datetime | None
    held: int = 0

    @property
    def free(self) -> int:
        return self.remaining - self.held

    def has_expired(self, at: datetime) -> bool:
        return self.expires_at is not None and self.expires_at <= at

    @property
    def row(self) -> tuple:
        return (self.id, self.kind, self.granted, self.remaining, self.held, self.expires_at)


@dataclass(eq=False)
class ModelEntry:
    """
    What an entry did: the lots it granted and what it took of others (id -> minor units).
    """

    id: int
    wallet: "ModelWallet"
    granted: list[ModelLot] = field(default_factory=list)
    uses: dict[int, int] = field(default_factory=dict)
    restores_for: timedelta = timedelta(days=30)
    request: dict | None = None
    is_reversal: bool = False
    reversal: "tuple[int, str] | None" = None


@dataclass(eq=False)
class ModelHold:
    id: int
    wallet: "ModelWallet"
    reference: str
    amount: int
    expires_at: datetime
    parts: dict[int, int]
    state: str = "OPEN"
    captured: int = 0


@dataclass(eq=False)
class ModelWallet:
    """
    One customer's pots of one currency; `order` is its policy's order of consumption.
    """

    owner: "ModelCustomer"
    currency: str
    order: str
    is_home: bool = True
    lots: dict[int, ModelLot] = field(default_factory=dict)

    def balance(self, kind: str) -> int:
        return sum(lot.remaining for lot in self.lots.values() if lot.kind == kind)

    @property
    def held(self) -> int:
        return sum(lot.held for lot in self.lots.values())

    def free(self, at: datetime) -> list[ModelLot]:
        """
        Return the lots that may be spent now, in the order of consumption.
        """

        def place(lot: ModelLot) -> tuple:
            principal = lot.kind == "PRINCIPAL"
            expiry = lot.expires_at or EVER
            turn = {
                "BONUS_FIRST_EARLIEST_EXPIRY": (principal, expiry),
                "PRINCIPAL_FIRST_FIFO": (not principal,),
                "EARLIEST_EXPIRY_FIRST": (expiry, principal),
            }[self.order]
            return (*turn, lot.granted_at, lot.id)

        usable = [lot for lot in self.lots.values() if lot.free and not lot.has_expired(at)]
        return sorted(usable, key=place)

    def pick_free(self, wanted: int, at: datetime) -> dict[int, int]:
        if not (self.is_home or any(lot.remaining for lot in self.lots.values())):
            raise Refused("wrong_currency")
        return self.pick(wanted, self.free(at))

    def pick(self, wanted: int, lots: list[ModelLot]) -> dict[int, int]:
        """
        Return lot id -> minor units that make `wanted` from the first of `lots`.
        """
        parts: dict[int, int] = {}
        for lot in lots:
            if taken := min(wanted, lot.free):
                parts[lot.id] = taken
                wanted -= taken
        if wanted:
            raise Refused("insufficient_funds")
        return parts

    def take(self, parts: dict[int, int]) -> None:
        for lot_id, taken in parts.items():
            self.lots[lot_id].remaining -= taken

    def pin(self, hold: ModelHold, direction: int) -> None:
        for lot_id, part in hold.parts.items():
            self.lots[lot_id].held += direction * part


@dataclass(eq=False)
class ModelCustomer:
    frozen: bool = False
    open_topups: int = 0
    has_fixed_currency: bool = False  # since the first money, or the first order

    def refuse_frozen(self) -> None:
        if self.frozen:
            raise Refused("customer_frozen")


def spent(wallet: ModelWallet, amount: int, at: datetime) -> dict[int, int]:
    wallet.owner.refuse_frozen()
    parts = wallet.pick_free(amount, at)
    wallet.take(parts)
    return parts


def debited(wallet: ModelWallet, kind: str, amount: int, at: datetime) -> dict[int, int]:
    """
    Take from the pot of one kind, earliest expiry first, whatever the policy says.
    """

    def place(lot: ModelLot) -> tuple:
        return (lot.expires_at is None, lot.expires_at or at, lot.id)

    lots = [lot for lot in wallet.lots.values() if lot.kind == kind and not lot.has_expired(at)]
    parts = wallet.pick(amount, sorted(lots, key=place))
    wallet.take(parts)
    return parts


def held(wallet: ModelWallet, amount: int, at: datetime) -> dict[int, int]:
    wallet.owner.refuse_frozen()
    return wallet.pick_free(amount, at)


def captured(hold: ModelHold, amount: int, at: datetime) -> dict[int, int]:
    """
    Spend the parts pinned first, free the rest.
    """
    if hold.state != "OPEN" or hold.expires_at <= at:
        raise Refused("hold_closed")
    hold.wallet.owner.refuse_frozen()
    if amount > hold.amount:
        raise Refused("capture_too_large")
    hold.wallet.pin(hold, -1)
    hold.state, hold.captured = "CAPTURED", amount
    parts: dict[int, int] = {}
    for lot_id, part in hold.parts.items():
        if taken := min(amount, part):
            parts[lot_id] = taken
            amount -= taken
    hold.wallet.take(parts)
    return parts


def ended(hold: ModelHold, state: str) -> None:
    hold.wallet.pin(hold, -1)
    hold.state = state


def reversed_(entry: ModelEntry, reason: str, at: datetime) -> None:
    """
    Undo an entry: give back what it took, take back what it granted.
    """
    if entry.is_reversal:
        raise Refused("not_reversible")
    if entry.reversal:
        raise Refused("reference_reused")
    if any(lot.free < lot.granted for lot in entry.granted):
        raise Refused("insufficient_funds")
    for lot in entry.granted:
        lot.remaining -= lot.granted
    for lot_id, taken in entry.uses.items():
        lot = entry.wallet.lots[lot_id]
        lot.remaining += taken
        if lot.has_expired(at):
            lot.expires_at = at + entry.restores_for


def expired(wallet: ModelWallet, at: datetime) -> list[tuple[ModelLot, int]]:
    """
    Take what is left and not pinned of lots whose time has passed.
    """
    gone = [(lot, lot.free) for lot in wallet.lots.values() if lot.free and lot.has_expired(at)]
    for lot, free in gone:
        lot.remaining -= free
    return gone
