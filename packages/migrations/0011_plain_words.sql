-- What customers read about a new price, and what they say against a charge, shows all it says.
CREATE TRIGGER packages_move_words_are_plain
BEFORE INSERT OR UPDATE OF reason, reason_en
ON packages_pricemove
FOR EACH ROW EXECUTE FUNCTION crm_billing_plain_text('reason', 'reason_en');

CREATE TRIGGER packages_dispute_words_are_plain
BEFORE INSERT OR UPDATE OF words
ON packages_dispute
FOR EACH ROW EXECUTE FUNCTION crm_billing_plain_text('words+');
