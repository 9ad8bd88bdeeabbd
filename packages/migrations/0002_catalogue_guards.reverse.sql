DROP TRIGGER packages_offer_immutable_once_published ON packages_topupoffer;
DROP TRIGGER packages_component_immutable_once_published ON packages_pricecomponent;
DROP TRIGGER packages_price_is_immutable ON packages_priceversion;
DROP TRIGGER packages_package_moves_on ON packages_package;
DROP FUNCTION packages_part_of_a_draft();
DROP FUNCTION packages_price_is_immutable();
DROP FUNCTION packages_package_moves_on();
ALTER TABLE packages_priceversion DROP CONSTRAINT packages_price_one_at_a_time;
DROP TYPE packages_words;
