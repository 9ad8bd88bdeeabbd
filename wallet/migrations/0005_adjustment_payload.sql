-- What a maker proposed, as one hash; wallet/adjustments.py asks for it on proposal and approval.
CREATE FUNCTION wallet_adjustment_payload(a wallet_adjustment) RETURNS TEXT
LANGUAGE sql STABLE AS $$
    SELECT encode(sha256(convert_to(jsonb_build_array(
        a.number, a.customer_id, a.direction, a.kind, trim_scale(a.amount), a.amount_currency,
        extract(epoch FROM a.bonus_expires_at), a.reason, a.attachment_name,
        encode(sha256(coalesce(a.attachment, '')), 'hex'), a.maker_id
    )::text, 'UTF8')), 'hex');
$$;

CREATE FUNCTION wallet_adjustment_freezes_its_payload() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
BEGIN
    NEW.payload_sha256 := wallet_adjustment_payload(NEW);
    RETURN NEW;
END;
$$;

CREATE TRIGGER wallet_adjustment_freezes_its_payload
BEFORE INSERT ON wallet_adjustment
FOR EACH ROW EXECUTE FUNCTION wallet_adjustment_freezes_its_payload();
