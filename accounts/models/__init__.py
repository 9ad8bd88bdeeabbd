from accounts.models.api_keys import ApiKey
from accounts.models.customers import Customer
from accounts.models.members import Invitation, Member
from accounts.models.users import User

__all__ = ["ApiKey", "Customer", "Invitation", "Member", "User"]
