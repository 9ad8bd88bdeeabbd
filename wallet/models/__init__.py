from wallet.models.adjustments import Adjustment
from wallet.models.cases import Case
from wallet.models.expiring import ExpiryLetter, ExpiryReminder
from wallet.models.holds import Hold, HoldLot
from wallet.models.ledger import Freeze, JournalEntry, LedgerAccount, Posting, SealBlock
from wallet.models.lots import Lot, LotUse
from wallet.models.payments import GatewayCallback, GatewayPayment, PaymentAttempt
from wallet.models.policies import WalletPolicy
from wallet.models.receipts import Receipt, ReceiptSeries
from wallet.models.topups import TopUp

__all__ = [
    "Adjustment",
    "Case",
    "ExpiryLetter",
    "ExpiryReminder",
    "Freeze",
    "GatewayCallback",
    "GatewayPayment",
    "Hold",
    "HoldLot",
    "JournalEntry",
    "LedgerAccount",
    "Lot",
    "LotUse",
    "PaymentAttempt",
    "Posting",
    "Receipt",
    "ReceiptSeries",
    "SealBlock",
    "TopUp",
    "WalletPolicy",
]
