-- All that is told of a customer's use marks the customer, in the same transaction: kept answers
-- about entitlements look at the mark instead of at the events (docs/adr/0020-kept-answers.md).
CREATE FUNCTION packages_usage_sets_mark() RETURNS TRIGGER
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO packages_usagemark (customer_id, marked_at)
    SELECT DISTINCT n.customer_id, now() FROM new_events AS n ORDER BY n.customer_id
    ON CONFLICT (customer_id) DO UPDATE SET marked_at = EXCLUDED.marked_at;
    RETURN NULL;
END;
$$;

CREATE TRIGGER packages_usage_sets_mark
AFTER INSERT ON packages_usageevent
REFERENCING NEW TABLE AS new_events
FOR EACH STATEMENT EXECUTE FUNCTION packages_usage_sets_mark();
