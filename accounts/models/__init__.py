from accounts.models.api_keys import ApiKey
from accounts.models.consents import Consent
from accounts.models.customers import Customer
from accounts.models.members import Invitation, Member
from accounts.models.users import User

__all__ = ["ApiKey", "Consent", "Customer", "Invitation", "Member", "User"]
