-- What people and customers are called can be seen, whoever writes it.
CREATE TRIGGER accounts_customer_names_are_plain
BEFORE INSERT OR UPDATE OF
    name, contact_name, contact_email, contact_phone, address, tax_title, tax_number
ON accounts_customer
FOR EACH ROW EXECUTE FUNCTION crm_billing_plain_text(
    'name', 'contact_name', 'contact_email', 'contact_phone', 'address',
    'tax_title', 'tax_number'
);
CREATE TRIGGER accounts_user_name_is_plain
BEFORE INSERT OR UPDATE OF name, email
ON accounts_user
FOR EACH ROW EXECUTE FUNCTION crm_billing_plain_text('name', 'email');
CREATE TRIGGER accounts_invitation_email_is_plain
BEFORE INSERT OR UPDATE OF email
ON accounts_invitation
FOR EACH ROW EXECUTE FUNCTION crm_billing_plain_text('email');
CREATE TRIGGER accounts_apikey_name_is_plain
BEFORE INSERT OR UPDATE OF name
ON accounts_apikey
FOR EACH ROW EXECUTE FUNCTION crm_billing_plain_text('name');
