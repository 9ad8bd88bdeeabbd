DROP TRIGGER packages_charge_was_announced ON packages_charge;
DROP FUNCTION packages_charge_was_announced();
DROP TRIGGER packages_notice_is_its_subscriptions ON packages_notice;
DROP FUNCTION packages_notice_is_its_subscriptions();
DROP TRIGGER packages_notice_stays ON packages_notice;
DROP TRIGGER packages_notice_sent_once ON packages_notice;
DROP TRIGGER packages_notice_fixed ON packages_notice;
DROP FUNCTION packages_notice_days();
