-- The hash is the hash of these very bytes.
ALTER TABLE reports_receiptdocument
    ADD CONSTRAINT reports_receiptdocument_hash_is_its_pdfs
    CHECK (pdf_sha256 = encode(sha256(pdf), 'hex'));

-- A PDF is compressed already.
ALTER TABLE reports_receiptdocument ALTER COLUMN pdf SET STORAGE EXTERNAL;

-- What was handed out stays as it is; the one thing that may still happen is the mailing, once.
CREATE FUNCTION reports_receiptdocument_stays() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE'
        AND (to_jsonb(NEW) - 'mailed_at' - 'message_id')
            = (to_jsonb(OLD) - 'mailed_at' - 'message_id')
        AND OLD.mailed_at IS NULL
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'The document of receipt % stays as it was handed out', OLD.receipt_id
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'reports_receiptdocument_stays';
END;
$$;

CREATE TRIGGER reports_receiptdocument_stays
BEFORE UPDATE OR DELETE ON reports_receiptdocument
FOR EACH ROW EXECUTE FUNCTION reports_receiptdocument_stays();
