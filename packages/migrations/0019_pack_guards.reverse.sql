DROP TRIGGER packages_pack_append_only ON packages_extrapack;
DROP TRIGGER packages_pack_is_sold_and_paid ON packages_extrapack;
DROP FUNCTION packages_pack_is_sold_and_paid();
