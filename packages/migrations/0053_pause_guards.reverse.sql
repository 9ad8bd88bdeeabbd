DROP TRIGGER packages_charge_after_a_pause_was_announced ON packages_charge;
DROP FUNCTION packages_charge_after_a_pause_was_announced();
DROP TRIGGER packages_pause_is_its_subscriptions ON packages_pause;
DROP FUNCTION packages_pause_is_its_subscriptions();
DROP TRIGGER packages_pause_stays ON packages_pause;
DROP TRIGGER packages_pause_decided_once ON packages_pause;
DROP TRIGGER packages_pause_fixed ON packages_pause;
DROP TRIGGER packages_subscription_pauses_as_asked ON packages_subscription;
DROP FUNCTION packages_subscription_pauses_as_asked();
DROP TRIGGER packages_subscription_state_follows ON packages_subscription;
CREATE TRIGGER packages_subscription_state_follows
BEFORE UPDATE OF state ON packages_subscription
FOR EACH ROW EXECUTE FUNCTION wallet_state_follows(
    'TRIAL>ACTIVE', 'TRIAL>PAST_DUE', 'TRIAL>ENDED',
    'ACTIVE>PAST_DUE', 'ACTIVE>ENDED',
    'PAST_DUE>ACTIVE', 'PAST_DUE>RESTRICTED', 'PAST_DUE>ENDED',
    'RESTRICTED>ACTIVE', 'RESTRICTED>SUSPENDED', 'RESTRICTED>ENDED',
    'SUSPENDED>ACTIVE', 'SUSPENDED>ENDED'
);
