-- What is sold is called what one sees, on the bill too.
CREATE TRIGGER packages_package_names_are_plain
BEFORE INSERT OR UPDATE OF name, name_en, summary, summary_en
ON packages_package
FOR EACH ROW EXECUTE FUNCTION crm_billing_plain_text('name', 'name_en', 'summary', 'summary_en');
CREATE TRIGGER packages_component_names_are_plain
BEFORE INSERT OR UPDATE OF name, name_en, unit, unit_en
ON packages_pricecomponent
FOR EACH ROW EXECUTE FUNCTION crm_billing_plain_text('name', 'name_en', 'unit', 'unit_en');
CREATE TRIGGER packages_coupon_names_are_plain
BEFORE INSERT OR UPDATE OF name, name_en
ON packages_coupon
FOR EACH ROW EXECUTE FUNCTION crm_billing_plain_text('name', 'name_en');
CREATE TRIGGER packages_meter_names_are_plain
BEFORE INSERT OR UPDATE OF name, name_en, unit, unit_en
ON packages_meter
FOR EACH ROW EXECUTE FUNCTION crm_billing_plain_text('name', 'name_en', 'unit', 'unit_en');
