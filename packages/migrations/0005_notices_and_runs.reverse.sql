DROP FUNCTION
    packages_notice_is_its_subscriptions,
    packages_notice_bounced_after_its_charge
CASCADE;
