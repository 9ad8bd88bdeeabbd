DROP TRIGGER packages_usage_is_marked ON packages_usageevent;
DROP FUNCTION packages_usage_is_marked();
