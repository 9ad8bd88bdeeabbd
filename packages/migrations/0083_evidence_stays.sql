-- What a customer was offered, and by which words they agreed, stays; bought or not.
CREATE TRIGGER packages_quote_stays
BEFORE DELETE OR TRUNCATE ON packages_pricequote
FOR EACH STATEMENT EXECUTE FUNCTION wallet_append_only();

-- So does what a renewal run did. Only the clockwork's runs that found nothing to do go.
CREATE TRIGGER packages_run_is_never_emptied
BEFORE TRUNCATE ON packages_renewalrun
FOR EACH STATEMENT EXECUTE FUNCTION wallet_append_only();
CREATE TRIGGER packages_run_stays
BEFORE DELETE ON packages_renewalrun
FOR EACH ROW WHEN (
    OLD.started_by_id IS NOT NULL OR OLD.finished_at IS NULL
    OR OLD.ok + OLD.insufficient + OLD.waiting + OLD.failed + OLD.ended + OLD.paused > 0
)
EXECUTE FUNCTION wallet_append_only();
CREATE TRIGGER packages_run_fixed
BEFORE UPDATE ON packages_renewalrun
FOR EACH ROW EXECUTE FUNCTION wallet_fixed_columns(
    'id', 'at', 'is_rehearsal', 'started_at', 'started_by_id'
);
CREATE TRIGGER packages_run_finished_fixed
BEFORE UPDATE ON packages_renewalrun
FOR EACH ROW WHEN (OLD.finished_at IS NOT NULL)
EXECUTE FUNCTION wallet_fixed_columns(
    'finished_at', 'ok', 'insufficient', 'waiting', 'failed', 'ended', 'paused'
);
