-- Who decides on money reads what they decide on: no text of a proposal runs backwards, none looks
-- like another. The same of what was done about a case.
CREATE TRIGGER wallet_adjustment_words_are_plain
BEFORE INSERT OR UPDATE OF reason, attachment_name, decision_note
ON wallet_adjustment
FOR EACH ROW EXECUTE FUNCTION crm_billing_plain_text('reason', 'attachment_name', 'decision_note+');

CREATE TRIGGER wallet_case_words_are_plain
BEFORE INSERT OR UPDATE OF resolution
ON wallet_case
FOR EACH ROW EXECUTE FUNCTION crm_billing_plain_text('resolution+');
