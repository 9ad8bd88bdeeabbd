from datetime import timedelta

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from accounts import api_keys
from accounts.models import ApiKey, Customer
from crm_billing.errors import DomainError


class Command(BaseCommand):
    help = "Make an API key for a customer and print its token, this once."

    def add_arguments(self, parser):
        parser.add_argument("--customer", required=True, help="the customer's number")
        parser.add_argument(
            "--scopes", required=True, help=f"comma-separated: {','.join(ApiKey.Scope.values)}"
        )
        parser.add_argument("--name", default="manage.py")
        parser.add_argument("--expires-days", type=int, default=api_keys.LIFETIME.days)

    def handle(self, *, customer, scopes, name, expires_days, **options):
        found = Customer.objects.filter(number=customer).first()
        if found is None:
            raise CommandError(f"There is no customer {customer}.")
        at = timezone.now()
        try:
            _key, token = api_keys.create(
                customer=found,
                name=name,
                scopes=[scope.strip() for scope in scopes.split(",") if scope.strip()],
                at=at,
                expires_at=at + timedelta(days=expires_days),
            )
        except DomainError as refusal:
            raise CommandError(str(refusal)) from refusal
        except ValidationError as refusal:
            raise CommandError("; ".join(refusal.messages)) from refusal
        self.stdout.write(token)
